standing-active = Sells
standing-suspended = Suspended
standing-closed = Closed

owner-sellers = Sellers
owner-sellers-search = Shop
owner-sellers-search-hint = What its address begins with, or the account’s id.
owner-sellers-standing = Standing
owner-sellers-all = All
owner-sellers-show = Show
owner-sellers-none = No seller is like that
owner-seller-shop = Address of the shop
owner-seller-account = Account
owner-seller-since = Since
owner-seller-by = By
owner-seller-own = Closed by the seller
owner-seller-changes = What changed
owner-seller-saved = Done. Lists and subscriptions follow within moments.
owner-seller-is-active = This seller sells.
owner-seller-is-suspended = Nothing of this seller is sold or charged, and their money waits.
owner-seller-is-closed = This account sells no more; its subscriptions end with their periods.
owner-seller-reason-hint = The seller reads it.
owner-seller-reason-wrong = Write a reason of 1 to 500 characters, on one line.

owner-seller-to-suspended = Suspend this seller
owner-seller-to-suspended-1 = Nothing of theirs is sold any more: products, bundles, links and open quotes end at once.
owner-seller-to-suspended-2 = Licenses that were sold go on working and activating.
owner-seller-to-suspended-3 = No subscription is charged. Its buyers are told by mail, and use it meanwhile without paying.
owner-seller-to-suspended-4 = The seller’s money waits, and so do commissions on their sales. Nothing is lost, and you can let them sell again.
owner-seller-do-suspended = Suspend

owner-seller-to-active = Let this seller sell again
owner-seller-to-active-1 = Products and bundles that were for sale are for sale again.
owner-seller-to-active-2 = A subscription whose period ended meanwhile begins a new one now, and is charged for that.
owner-seller-to-active-3 = A renewal that was declined before is tried again.
owner-seller-to-active-4 = The next payout run sends what waited. Subscriptions that end because the account was closed still end, unless their buyers change their mind.
owner-seller-do-active = Let them sell again

owner-seller-to-closed = Close this account
owner-seller-to-closed-1 = Nothing of theirs is sold any more, for good: it can be opened again for 120 days, and never after that.
owner-seller-to-closed-2 = Licenses that were sold go on working and activating.
owner-seller-to-closed-3 = Subscriptions end with the period that is paid for. Their buyers are told by mail.
owner-seller-to-closed-4 = What the seller has earned is sent 120 days from now, when buyers’ banks ask no more.
owner-seller-do-closed = Close the account

seller-banner-suspended = Your account is suspended: { $reason } Nothing of yours is sold or charged for now, and your payouts wait; nothing is lost. Licenses that you sold go on working, and these pages do too. Write to the shop about it.
seller-banner-closed = Your account as a seller is closed. Licenses that you sold go on working, subscriptions end with their periods, and what you earned is sent 120 days after the closing.
seller-banner-closed-why = Your account as a seller was closed: { $reason } Licenses that you sold go on working, subscriptions end with their periods, and what you earned is sent 120 days after the closing.

seller-close = Close your account as a seller
seller-close-lead = This is what happens next, and you can’t undo it:
seller-close-1 = Nothing of yours is sold any more: products, bundles, links and open quotes end at once.
seller-close-2 = Licenses that you sold go on working and activating.
seller-close-3 = Subscriptions end with the period that is paid for. Their buyers are told by mail.
seller-close-4 = What you have earned is sent 120 days from now, however little it is. Refunds and banks may take from it until then.
seller-close-5 = You keep these pages, your papers and your own purchases.
seller-close-shop = Address of your shop
seller-close-shop-hint = To confirm, write { $shop }.
seller-close-wrong = This isn’t the address of your shop. Nothing was changed.
seller-close-button = Close my account as a seller
seller-close-not = Keep it

subs-next-rests = Nothing is charged for now: its seller is suspended. You go on using it, and the next period begins when they sell again.

problem-seller-suspended = The seller’s account is suspended. Nothing was charged or changed.
problem-seller-closed = The seller’s account is closed. Nothing was charged or changed.
problem-seller-not-selling = A part of this order isn’t sold at the moment. Nothing was charged.
problem-closed-too-long = The account was closed more than 120 days ago; it stays closed.

payout-skip-suspended = Suspended: it waits, and is sent when you sell again
payout-skip-closing = Account closed: it is sent 120 days after

seller-mail-suspended = Your account as a seller is suspended
seller-mail-suspended-intro = Nothing of yours is sold or charged for now, and your payouts wait. Licenses that you sold go on working, and nothing of your money is lost.
seller-mail-resumed = You can sell again
seller-mail-resumed-intro = Your products are for sale again, your subscriptions go on, and the next payout run sends what waited.
seller-mail-closed = Your account as a seller is closed
seller-mail-closed-intro = Licenses that you sold go on working, subscriptions end with their periods, and what you earned is sent 120 days after the closing.
seller-mail-reason = Why
seller-mail-open = Look at your shop

fact-rests-subject = Your subscription to { $product } is not charged for now
fact-rests-intro = Its seller can’t sell at the moment. Your license goes on working, and nothing is charged until they sell again. If the period ends meanwhile, the next one begins on the day they do.
fact-goes-on-intro = Its seller sells again. If its period ended meanwhile, a new one begins today and is charged as usual; you were charged nothing for the time between. Otherwise it is charged at the end of the period, as before.
fact-seller-closed-subject = Your subscription to { $product } ends with its period
fact-seller-closed-intro = Its seller gave up selling. What you paid for works until its end; nothing more is charged.
fact-ended-seller = It ended because its seller gave up selling. Nothing more is charged.
