# Payment methods that providers keep.
methods-title = Payment methods
methods-method = Method
methods-added = Added on
methods-pays = Pays
methods-pays-nothing = Nothing now
methods-until = { $label }, until { $month }
methods-over = Its last month is over: a charge of it will be declined.
methods-add = Add a payment method
methods-none = You have left none yet.
methods-remove = Remove
methods-remove-label = Remove { $label }
methods-text = The payment provider keeps them; we know only what you see here. One that pays something can be removed when you have chosen another for that.
methods-empty-title = No payment method yet
methods-empty-text = What you pay a subscription with is kept here, and so is what you add. You choose it where something is charged again: subscriptions, trials, and invoices for what you use.
methods-first = What you paid with first
methods-test = A test method
