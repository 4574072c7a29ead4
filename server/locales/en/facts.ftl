# Mail about money that moves by itself or goes back: one sentence a key.

fact-product = Product
fact-amount = Amount
fact-until = Paid until (UTC)
fact-charged-on = Charged on (UTC)
fact-next-try = Tried again on (UTC)
fact-works-until = License works until (UTC)
fact-reason = Reason
fact-order = Order
fact-deadline = Answer by (UTC)
fact-from = From (UTC)
fact-before = Before
fact-open-subscription = Look at the subscription
fact-open-order = Open the order
fact-open-sale = Look at your sales
fact-open-payouts = Look at your payouts

fact-renews-subject = { $product } renews soon
fact-renews-intro = Your subscription goes on by itself, and the amount below is charged then. To end it, take it back before.
fact-tried-subject = Your trial of { $product } has begun
fact-tried-intro = Your license works from now on, and nothing is charged until the trial ends.
fact-tried-charged = When the trial ends, the first period is charged to the method that you chose, and so on until you end it. To pay nothing, end it before, on the page of the subscription.
fact-tried-later = When the trial ends, nothing is charged and the license stops, unless you add a payment method. You can end it before, on the page of the subscription.
fact-trial-ends = Trial ends on (UTC)
fact-first-period = First period
fact-trial-subject = Your trial of { $product } ends soon
fact-trial-intro = The trial is free until its end. If a payment method is saved, the first period is charged then; without one, nothing is.
fact-receipt-subject = Receipt for { $product }
fact-receipt-intro = Thank you: your payment has arrived, and your license is extended. The invoice is kept with the subscription.
fact-declined-subject = A payment for { $product } was declined
fact-declined-again = Nothing is lost yet: the payment is tried again on the day below. Another payment method is tried at once.
fact-declined-last = It isn't tried again by itself. Choose another payment method, or the subscription ends.
fact-change-declined = The change was not paid, so nothing has changed.
fact-ended-subject = Your subscription to { $product } has ended
fact-ended-canceled = It ended as you wished. You can take it up again, with the same license.
fact-ended-unpaid = It ended because it was not paid. You can take it up again with another payment method.
fact-ended-trial = The trial is over, and nothing was charged.
fact-ended-chargeback = It ended because your bank took back a payment for it.
fact-ended-refunded = It ended because its payment was refunded to you.
fact-ended-gone = It ended because its seller has stopped offering this product. Licenses that you bought once go on working, and your orders and invoices stay in your list.
fact-ends-on = Ends on (UTC)
fact-gone-subject = Your subscription to { $product } will end
fact-gone-intro = Its seller has stopped offering this product, so your subscription ends on the day below. Until then everything works as before. It isn’t renewed, and nothing more is charged, except what meters count until then.
fact-gone-trial = Its seller has stopped offering this product, so your trial ends on the day below, and nothing is charged then.
fact-gone-stays = Licenses that you bought once stay yours and go on working, and your orders and invoices stay in your list.
fact-may-subject = You can keep your subscription to { $product }
fact-may-intro = Its seller goes on serving those who have one after all. Yours still ends on the day below, and nothing more is charged, unless you say on its page that you keep it.
fact-paused-subject = Your subscription to { $product } is paused
fact-paused-intro = It is paused as you wished: nothing is charged and the license rests until you go on.
fact-disputed-intro = Your bank took back a payment for it and hasn't decided yet. Nothing is charged and the license rests until then.
fact-resumed-subject = Your subscription to { $product } goes on
fact-resumed-intro = Your bank gave the payment back, so the subscription goes on.
fact-price-subject = The price of { $product } changes
fact-price-intro = From the day below on, each period costs the new amount. Until then nothing changes, and you can end the subscription before.

fact-invoice = Invoice
fact-due = Due since (UTC)
fact-open-invoice = Open the invoice
fact-pay-invoice = Pay the invoice
fact-charge-subject = Invoice { $number } could not be charged
fact-charge-again = The payment that you agreed to was declined, and nothing was taken. It is tried again on the day below; you can also pay the invoice on its page.
fact-charge-last = The payment that you agreed to was declined again, and it isn’t tried any more. Please pay the invoice on its page.
fact-charge-ended = The payment method that you agreed to is gone, so invoices aren’t paid by themselves any more. Please pay this one on its page, where you can choose that again.
fact-charge-again-at = Tried again on (UTC)
fact-overdue-subject = Invoice { $number } is due
fact-overdue-intro = This invoice for what you used isn’t paid yet. You can pay it on its page; if you just did, you can ignore this mail.

fact-credit-subject = Credit note { $number }
fact-credit-intro = Something of what you paid went back. This paper says what, for your books.
fact-correction-subject = Correction { $number }
fact-correction-intro = Money that went back to you came back to us after all, so an earlier credit note no longer counts.
fact-open-credit = Open the paper

fact-refund-subject = A refund of { $amount } is on its way
fact-refund-intro = The money was sent back to the method you paid with. Depending on your bank it takes some days to appear.
fact-refund-failed-subject = A refund of { $amount } came back
fact-refund-failed-intro = Your bank could not take the money, so it came back to us. Your order stands as before; answer this mail if you can be paid otherwise.

fact-dispute-subject = A buyer's bank disputes a payment
fact-dispute-inquiry = The bank asks about the payment and has not taken it. Until it decides, the money is frozen and nothing can be refunded.
fact-dispute-chargeback = The bank took the money back for now. If you can show that the buyer got what they paid for, say so before the time below.

fact-payout-subject = Your payout of { $amount } was sent
fact-payout-intro = The money has left for your account. Its statement lists every sale in it.
fact-payout-failed-subject = Your payout of { $amount } did not arrive
fact-payout-failed-intro = The money could not be sent and is in your balance again. Check the account that you gave; the next run tries it anew.
fact-payout-returned-subject = Your payout of { $amount } was sent back
fact-payout-returned-intro = The money had left and came back from your account, so it is in your balance again. Check the account that you gave.

withdraw-mail-subject = You withdrew from order { $order }
withdraw-mail-intro = We received your withdrawal from the contract for what is listed below. All that you paid for it goes back to the method you paid with, and its licenses end.
withdraw-mail-who = Declared by
withdraw-mail-when = Declared at
withdraw-mail-outro = Keep this mail: it confirms what you declared, and when. Depending on your bank the money takes some days to appear.

wish-mail-opened = A buyer asks for a refund
wish-mail-opened-intro = A buyer asks for money back. Grant or decline it before the time below; after that the platform decides.
wish-mail-taken-back = A buyer asks for a refund no more
wish-mail-taken-back-intro = The buyer took the wish for a refund back. There is nothing to do.
wish-mail-granted = Your wish for a refund was granted
wish-mail-granted-part = Your wish for a refund was granted in part
wish-mail-granted-intro = The money goes back to the method you paid with; another mail says when it left.
wish-mail-declined = Your wish for a refund was declined
wish-mail-declined-intro = The seller declined what you asked for. Within 14 days you can ask the platform, once.
wish-mail-declined-last = The platform declined what you asked for.
wish-mail-escalated = The platform looks at your wish for a refund
wish-mail-escalated-intro = The platform decides now, in place of the seller.
wish-mail-answer = See what buyers ask for
wish-mail-amount = Asked for
wish-mail-amount-granted = Granted
wish-mail-words = In words
wish-mail-decide = Decide

wish-mail-failed = A refund that was granted did not arrive
wish-mail-failed-intro = The buyer’s bank didn’t take the money, so it came back. Try again, or agree with the buyer on another way to pay them.
wish-mail-failed-platform = The buyer’s bank didn’t take the money, so it came back. The platform granted this refund, and sends it again: there is nothing for you to do.

wish-mail-asked = A refund wish waits for the platform
wish-mail-asked-silent = The seller didn’t answer in time, so the platform decides.
wish-mail-asked-appeal = The seller declined what the buyer asked for, and the buyer asks the platform. It decides once, for good.
wish-mail-asked-failed = The seller granted the wish and the money came back, so the buyer asks the platform.
wish-mail-seller = The seller says

withdrawn-mail-subject = A buyer withdrew from the contract
withdrawn-mail-intro = The buyer withdrew within the 14 days that the law gives. All that they paid for what is listed below goes back to them and its licenses end: there is nothing for you to do.

review-mail-subject = An order waits for your look
review-mail-intro = A rule of risk asks for a look at this order. It is paid; its money is held until you let it go or refund it.
review-mail-why = Rules
review-mail-open = Look at what waits
