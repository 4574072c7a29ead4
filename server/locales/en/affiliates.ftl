# Affiliates: what they see, and what sellers see of them.

affiliate-title = Recommend and earn
affiliate-lead = Bring buyers to sellers you trust by your own links. A sale within the programme’s time after a click earns you its share, which is held for 14 days and paid out with the rest.
affiliate-mine = Your programmes
affiliate-none-title = You take part in no programme yet
affiliate-none-text = Choose one below. You get a code of your own, and any page of this shop becomes your link.
affiliate-rate = Share
affiliate-window = After a click
affiliate-days = { $days } days
affiliate-renewals = Renewals
affiliate-renewals-forever = for as long as they go on
affiliate-renewals-first = the first payment alone
affiliate-renewals-months = for { $months } months
affiliate-link = Your link
affiliate-link-hint = Any other page works too: put ?via={ $code } behind its address.
affiliate-copy = Copy
affiliate-copied = Copied
affiliate-clicks = Clicks
affiliate-sales = Sales
affiliate-earned = Earned
affiliate-standing = State
affiliate-standing-active = Active
affiliate-standing-left = Left
affiliate-standing-suspended = Ended by the seller
affiliate-do = Action
affiliate-leave = Leave
affiliate-rejoin = Join again
affiliate-open = Programmes you can join
affiliate-open-none = No seller has opened a programme just now.
affiliate-join = Join
affiliate-agree = I agree: I say openly that I am paid for recommending, buy nothing for myself by my own links, and send nobody mail they didn’t ask for.
affiliate-agree-missing = Say yes to the terms to join.
affiliate-joined = You have joined. Your link is below.
affiliate-payouts = Where it is paid to, and what was paid
affiliate-referrals = What you brought
affiliate-referrals-none = Nothing yet. A referral appears here when somebody orders.
affiliate-when = When
affiliate-product = Product
affiliate-how = How
affiliate-via-click = By a click
affiliate-via-code = By your code
affiliate-via-coupon = By a coupon
affiliate-via-renewal = Renewal
affiliate-commission = Commission
affiliate-back = Went back
affiliate-state-placed = Not paid for yet
affiliate-state-pending = Held
affiliate-state-in_review = In review
affiliate-state-approved = Approved
affiliate-state-paid = Paid out
affiliate-state-reversed = Taken back
affiliate-state-refused = Not credited
affiliate-refusal-self_referral = The buyer is the affiliate
affiliate-refusal-expired = The click was too long ago
affiliate-refusal-closed = The programme was closed
affiliate-refusal-left = The affiliate had left
affiliate-refusal-suspended = The seller had ended the affiliate’s part
affiliate-refusal-excluded = The product isn’t part of the programme

sell-affiliates = Affiliates
sell-affiliates-lead = People who recommend your products for a share of what they bring. It comes out of your part of a sale, which then counts as found by you: the platform takes its lower share.
sell-affiliates-set = Your programme
sell-affiliates-open = People can join, and links earn
sell-affiliates-open-yes = Yes
sell-affiliates-open-no = No
sell-affiliates-rate = Share in percent
sell-affiliates-rate-hint = 5 to 10 percent of the net price. What was brought before keeps its share.
sell-affiliates-window = Days after a click
sell-affiliates-window-hint = 1 to 90.
sell-affiliates-months = Months of renewals
sell-affiliates-months-hint = Nothing for as long as a subscription goes on, 0 for its first payment alone.
sell-affiliates-save = Save the programme
sell-affiliates-saved = Saved.
sell-affiliates-product-rates = Shares of single products
sell-affiliates-usual = As the programme says
sell-affiliates-out = Not part of it
sell-affiliates-set-rate = Set
sell-affiliates-partners = Who takes part
sell-affiliates-partners-none = Nobody yet.
sell-affiliates-name = Name
sell-affiliates-cost = Cost you
sell-affiliates-coupon = Coupon code
sell-affiliates-suspend = End their part
sell-affiliates-resume = Begin again
sell-affiliates-tie = Tie the coupon
sell-affiliates-referrals = What they brought
sell-affiliates-wrong-coupon = You have no such code, or it is tied to somebody else.

# ---- Mail to affiliates ----
affiliate-mail-joined = You take part in the programme of { $shop }
affiliate-mail-joined-intro = Who buys after a click on your link earns you the share below. It is held for 14 days after the sale, and then paid out with the rest. Any page of this shop becomes your link by what follows the question mark.
affiliate-mail-resumed = You take part in the programme of { $shop } again
affiliate-mail-ended = { $shop } ended your part in its programme
affiliate-mail-ended-intro = Your links bring nothing any more. What you earned until now stays yours and is paid out as before.
affiliate-mail-open = Look at what you earn
affiliate-mail-digest = What you earned by recommending
affiliate-mail-digest-intro = This is what changed since we last wrote.
affiliate-mail-digest-outro = There is one such mail a day at most, and none on days without a change.
affiliate-mail-sold = { $count ->
    [one] Sold once, held for 14 days
   *[other] Sold { $count } times, held for 14 days
}
affiliate-mail-confirmed = { $count ->
    [one] Confirmed: one sale, to be paid out
   *[other] Confirmed: { $count } sales, to be paid out
}
affiliate-mail-taken-back = { $count ->
    [one] Taken back with a refund or by a bank, once
   *[other] Taken back with refunds or by banks, { $count } times
}
affiliate-mail-given-again = { $count ->
    [one] Given again after money came back, once
   *[other] Given again after money came back, { $count } times
}
