# The list of what somebody bought.

orders-title = My orders
orders-filter = Orders by state
orders-all = All
orders-what = What
orders-date = Ordered on
orders-state = State
orders-total = Total
orders-more = { $title } and { $count ->
    [one] one more
   *[other] { $count } more
}
orders-times = { $count } × { $title }
orders-gift = A gift for { $email }
orders-gift-erased = A gift for an address that was erased
orders-disputed-filter = Disputed
orders-disputed = Your bank asks
orders-pay = Pay now
orders-pay-label = Pay now for { $title }
orders-empty-title = Nothing ordered yet
orders-empty-text = Whatever you order appears here: what you paid, what waits for its payment, what went back, and gifts you bought. If you ordered without an account, open the link in the order’s mail and put the order into this account.
orders-empty-action = Look around in the shop
orders-undisputed-title = Your bank asks about no order
orders-undisputed-text = When your bank asks about a payment or takes it back, the order is here until it decides.
orders-none-title = No order in this state
orders-none-text = Choose another state above, or look at all of them.
