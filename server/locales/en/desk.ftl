# Money at the desk: one sale and its refunds, what a bank asks, what came back to a buyer.

# ---- The list of sales ----
sales-filter = Sales by state
sales-all = All
sales-none-title = No sale in this state
sales-none-text = Choose another state above, or look at all of them.
sales-undisputed-title = No bank asks about a sale
sales-undisputed-text = When a buyer’s bank asks about a payment or takes it back, the sale is here until it decides.
sales-disputed = Disputed
sales-bank = The bank asks

# ---- One sale ----
sale-title = Sale
sale-charged-text = What the buyer paid
sale-left = Left to refund
sale-left-text = Of what the buyer paid
sale-parts = Who got what
sale-part = Part
sale-why = How it was reckoned
sale-amount = Amount
sale-about = The sale
sale-order = Order
sale-quantity = Quantity
sale-quantity-text = { $count } × { $unit }
sale-traffic = The buyer came
sale-traffic-seller = by a link of yours
sale-traffic-marketplace = by the marketplace
sale-traffic-unknown = by a way nobody knows
sale-payment = Payment
sale-payment-text = { $amount } by { $provider }
sale-hold-why = Why it is on hold
sale-hold-held = { $amount } on hold until { $until }
sale-hold-frozen = { $amount } frozen while the bank asks
sale-hold-taken = The bank has it until it decides
sale-hold-released = { $amount } released on { $until }
sale-hold-returned = Given back to the buyer
sale-license = The buyer’s license
sale-license-seats = { $count ->
    [one] one device
   *[other] { $count } devices
}
sale-sibling = In the same order:
sale-step-gross = Price
sale-step-discount = Discount
sale-step-tax = Tax
sale-step-platform-fee = Platform
sale-step-payment-fee = Payment
sale-step-affiliate = Affiliate
sale-step-seller = You
sale-back = What went back
sale-back-when = When
sale-back-by = Asked by
sale-refund-asked = The provider is asked to send the money back. Look again in a moment to see what it says.
sale-refund-disputed = The buyer’s bank asks about this payment. What the bank decides, happens; until then nothing can be refunded.
sale-refund-nothing-left = Nothing is left to refund.
sale-refund-free = Nothing was paid for this, so there is nothing to refund.
sale-refund-platform = Your balance is more than 100 below zero. Please ask the platform to refund this.
sale-refund-too-many = This order was refunded a hundred times already.

# ---- A refund ----
refund-title = Refund
refund-text = Choose how much goes back. Before anything happens, the next page says what will.
refund-amount = Amount in { $currency }
refund-amount-hint = At most { $left }, which is all that is left.
refund-amount-unread = Write the amount in digits, such as 12.50.
refund-amount-range = More than nothing and at most { $left } can go back.
refund-amount-changed = Something was refunded since you opened this page. { $left } is left now.
refund-reason = Reason
refund-reason-hint = It is kept with the refund.
refund-reason-choose = Choose…
refund-reason-missing = Say why.
refund-reason-requested-by-customer = The customer asked
refund-reason-duplicate = Bought twice
refund-reason-defective = It doesn’t work
refund-reason-fraud = The card’s owner didn’t buy it
refund-reason-other = Something else
refund-reason-withdrawal = The buyer withdrew from the contract
refund-note = A word to the customer
refund-note-hint = It stands on the page of their order.
refund-note-long = A word has at most { $most } characters.
refund-keep = Let the license work on, even when all of its price goes back
refund-end = End the subscription that this pays for, when all of it goes back
refund-preview = See what will happen
refund-confirm-title = Refund { $amount }?
refund-confirm = Refund { $amount }
refund-change = Change it
refund-once = Pressing twice refunds once.
refund-says = What will happen
refund-says-buyer = The buyer gets { $amount } back to the card it came from; { $left } could be refunded afterwards.
refund-says-no-license = There is no license to withdraw.
refund-says-works-on = The license works on, since a part of its price stays paid.
refund-says-kept = The license works on, although all of its price goes back.
refund-says-withdrawn = { $count ->
    [one] The license is withdrawn: its one device stops working with it when it next asks.
   *[other] The license is withdrawn: its { $count } devices stop working with it when they next ask.
}
refund-says-stays-withdrawn = The license was withdrawn before, and stays so.
refund-says-fees-kept = The platform keeps its fee of { $platform }, and the payment fee of { $payment } isn’t given back either: you bear both.
refund-says-fees-returned = The platform gives its fee of { $platform } back; the payment fee of { $payment } isn’t given back: you bear it.
refund-says-note = The buyer reads: “{ $note }”
refund-parts = Where the money comes from
refund-part-held = Your money on hold for this sale
refund-part-balance = Your balance
refund-part-tax = Tax that isn’t owed any more
refund-part-affiliate = The affiliate’s share
refund-part-platform = The platform’s fee
refund-state-requested = On its way
refund-state-succeeded = Refunded
refund-state-failed = Failed
refund-by-seller = The seller
refund-by-platform = The platform
refund-by-provider = The payment provider
refund-by-buyer = The buyer

# ---- What a bank asks ----
bank-title = The buyer’s bank
bank-amount = About
bank-opened = Since
bank-closed = Decided
bank-reason = What it says
bank-state-warning = Suspects a fraud
bank-state-inquiry = Asks
bank-state-chargeback = Took the money
bank-state-won = Decided for you
bank-state-lost = Decided for the buyer
bank-state-prevented = Prevented
bank-notice-warning = The buyer’s bank suspects a fraud. A refund now costs no more than the sale; a chargeback later would cost a fee as well.
bank-notice-inquiry = The buyer’s bank asks about this sale. Nothing can be refunded until it decides.
bank-notice-chargeback = The buyer’s bank took the money back. Nothing can be refunded until it decides.
bank-seller-warning = No money has moved, and the license works. Refund the sale if you think that the card’s owner didn’t buy it.
bank-seller-inquiry = No money has moved, and the license works. What is on hold stays there until the bank decides.
bank-seller-chargeback = The money is gone, with the provider’s fee, and the license is suspended until the bank decides.
bank-seller-won = The money is back and the license works again.
bank-seller-lost = The money stays with the buyer and the license is withdrawn. The platform gave its fee back.
bank-seller-prevented = You refunded before the bank took anything.

# ---- What a buyer sees on the page of an order ----
back-title = What came back
back-requested = { $amount } is on its way back to you since { $when }. Banks take up to ten days to show it.
back-succeeded = { $amount } went back to the card you paid with on { $when }. Banks take up to ten days to show it.
back-failed = { $amount } could not be sent back ({ $when }). Your card may be closed: write to the seller.
back-bank = Your bank
back-bank-inquiry = Your bank asked about { $amount } on { $when }. Your license works meanwhile.
back-bank-chargeback = Your bank took { $amount } back on { $when } and hasn’t decided. Your license is suspended until it does.
back-bank-won = Your bank decided on { $when } that { $amount } stays paid. Your license works.
back-bank-lost = Your bank decided on { $when } that { $amount } stays with you. Your license ended with it.
back-used = What the bank asks
back-used-inquiry = The bank asked about { $amount } on { $when }.
back-used-chargeback = The bank took { $amount } back on { $when } and hasn’t decided. Later invoices are no longer paid by themselves.
back-used-won = The bank decided on { $when } that { $amount } stays paid.
back-used-lost = The bank decided on { $when } that { $amount } stays with the buyer. A credit note takes it off this invoice.
back-agreed = What you agreed to
back-waiver = You wanted it supplied at once, and knew that by this you lose your right to withdraw: { $when }, version { $version }.
back-terms = The terms of each license: { $when }, version { $version }.

# ---- Wishes for refunds ----
wish-title = Refund wishes
wish-link = Ask for a refund
wish-lead = Ask the seller for your money back. Who isn’t answered in 72 hours is answered by the platform.
wish-lead-answers = What buyers ask for. A yes refunds at once; a no needs some words.
wish-none = Nobody asked for money back.
wish-none-here = No wish is in this state.
wish-none-waits = No wish waits for you.
wish-new = Ask for a refund
wish-send = Ask
wish-amount = Amount, when it isn’t all of it
wish-words = In your words
wish-answer = Your answer, for the buyer
wish-grant = Refund
wish-decline = Decline
wish-take-back = Take it back
wish-appeal = Ask the platform
wish-about = Asked { $when }
wish-about-open = Asked { $when }, to be answered until { $due }
wish-reason-requested-by-customer = I don’t want it any more
wish-reason-duplicate = I bought it twice
wish-reason-defective = It doesn’t work
wish-reason-other = Something else
wish-filter = Wishes by state
wish-all = All
wish-state-yours = Waits for you
wish-state-open = Waits for the seller
wish-state-escalated = Waits for the platform
wish-state-granted = Granted
wish-state-granted-part = Granted in part
wish-state-failed = Didn’t arrive
wish-failed-own = The money came back { $when }: your bank didn’t take it, perhaps because the card is closed. It can be sent again; write to the seller how else you can be paid.
wish-failed-answers = { $amount } came back { $when }: the buyer’s bank didn’t take it. Try again, or agree with the buyer on another way to pay them.
wish-again = Send it again
wish-granted-part = { $granted } of { $amount } was granted.
wish-state-declined = Declined
wish-state-taken_back = Taken back
wish-wrong = This can’t be refunded now.
wish-wrong-amount = At most { $left } is left.
wish-wrong-words = At most 1000 characters; a no needs some.
wish-wrong-waiting = You asked about this already.
wish-wrong-often = You asked about this three times, and were answered. Nobody is asked again.
wish-wrong-moved = It was answered or taken back meanwhile.
wish-wrong-granted = It was granted, so it can be sent again and not be declined.
wish-wrong-appeal = The platform is asked once, within 14 days of a no or of money that came back.

# ---- Withdrawing from a contract ----
withdraw-link = Withdraw from contract here
withdraw-title = Withdraw from the contract
withdraw-until = Until { $until } you can withdraw without saying why. You get back all that you paid, and the license ends.
withdraw-done = You withdrew. A mail says what you declared, and when.
withdraw-nothing = There is nothing here that you can withdraw from.
withdraw-what = From what
withdraw-all = Everything: { $amount }
withdraw-one = { $title }: { $amount }
withdraw-statement = I withdraw from the contract for what is chosen below, bought with order { $order }.
withdraw-ack = We answer at once by mail with what you declared, and when.
withdraw-confirm = Confirm withdrawal
withdraw-back = Back to the order
withdraw-declared = You withdrew on { $when }. { $amount } goes back to you.
withdraw-failed = You withdrew on { $when }, and { $amount } could not be sent back. Try again, or write to the seller.
withdraw-stands-open = You can withdraw from this.
withdraw-stands-unpaid = It isn’t paid.
withdraw-stands-nothing_left = Nothing was paid for it, or all of it went back.
withdraw-stands-disputed = Your bank asks about the payment; what it decides, happens.
withdraw-stands-renewal = It goes on with a subscription that you had before. End that on its own page.
withdraw-stands-late = The 14 days to withdraw are over.
withdraw-stands-waived = You wanted it supplied at once, and knew that by this you lose your right to withdraw.

# ---- The sandbox's page ----
sandbox-link = Sandbox
sandbox-desk-title = Sandbox
sandbox-lead = The payment provider of this demo. Let anything happen to a payment, and watch what the shop makes of it.
sandbox-done-act = Done. The shop hears of it by webhook, usually within a second.
sandbox-done-moved = Time went by. Everything that was due on the way happened at its time.
sandbox-done-moving = Time is going by. Look again in a moment.
sandbox-done-refused = The provider refuses that: it isn’t possible any more.
sandbox-done-far = The clock can be ten years ahead at most.
sandbox-clock = Clock
sandbox-clock-ahead = { $count ->
    [0] As the machine’s clock.
    [one] One day ahead of the machine’s clock.
   *[other] { $count } days ahead of the machine’s clock.
}
sandbox-clock-moving = Time is going by…
sandbox-clock-day = + 1 day
sandbox-clock-week = + 7 days
sandbox-clock-month = + 30 days
sandbox-clock-renewal = To the next renewal
sandbox-clock-next = The next renewal is on { $when }.
sandbox-clock-text = Time can only go forward: what is written stays written, and nothing happens before what came before it. Renewals, trials, holds and payouts that are due on the way happen at their time. Who hasn’t visited for a month is signed out.
sandbox-webhooks = Webhooks
sandbox-webhooks-text = What happens at the provider reaches the shop by signed webhooks. Hold them to see how the shop copes when they come late, twice, in another order, or never.
sandbox-mode = How they leave
sandbox-mode-prompt = At once
sandbox-mode-late = Each five seconds late
sandbox-mode-twice = Each twice
sandbox-mode-held = Not until I let them go
sandbox-set = Set
sandbox-held = { $count ->
    [one] One webhook waits.
   *[other] { $count } webhooks wait.
}
sandbox-go-in-order = Let go in order
sandbox-go-reversed = The last first
sandbox-go-doubled = Each twice
sandbox-go-dropped = Lose them
sandbox-payments = Payments
sandbox-payments-none = No payment yet
sandbox-payments-none-text = Buy something: its payment appears here.
sandbox-open = Open
sandbox-challenged = Asks for a proof
sandbox-succeeded = Paid
sandbox-failed = Declined
sandbox-next = What happens next
sandbox-do = Let it happen
sandbox-act-confirm = The proof is given
sandbox-act-reject = The proof is refused
sandbox-act-refund = All that is left is refunded here, without the shop
sandbox-act-warn = The bank suspects a fraud
sandbox-act-inquire = The bank asks
sandbox-act-open = The bank takes the money
sandbox-act-won = Decides for the seller
sandbox-act-lost = Decides for the buyer
sandbox-act-fail = Comes back
sandbox-act-again = Its webhooks are sent again
sandbox-act-returned = The bank returns it
sandbox-act-reversed = Take it back
sandbox-refund = Refund
sandbox-dispute = Dispute
sandbox-state-pending = Accepted
sandbox-state-succeeded = Sent
sandbox-state-failed = Came back
sandbox-state-warned = Warning
sandbox-state-inquired = Inquiry
sandbox-state-opened = Chargeback
sandbox-state-won = Won by the seller
sandbox-state-lost = Lost by the seller
sandbox-payouts = Payouts
sandbox-destination = Account
sandbox-when = When
sandbox-amount = Amount
sandbox-events = Webhooks sent
sandbox-event = Event
sandbox-about = About
sandbox-way = Delivery
sandbox-way-gone = Left
sandbox-way-held = Held
sandbox-way-leaves = Leaves { $when }
sandbox-way-tried = { $count ->
    [one] Refused once
   *[other] Refused { $count } times
}

# ---- The header's cart ----
cart-count = { $count ->
    [one] one thing in it
   *[other] { $count } things in it
}
