# After how many payments what recurs ends, what then becomes of its license, and the grace.

renewing-payments = Ends after so many payments
renewing-payments-hint = 2 to 120; nothing for as long as nobody ends it.
renewing-wrong = 2 to 120 payments, and only for a price that is paid again and again; only after so many can a license be the buyer’s to keep.
renewing-then = After the last payment
renewing-then-ends = the license ends with the period
renewing-then-keeps = the license is the buyer’s to keep (paid in instalments)
renewing-grace = After a declined payment the license works for
renewing-grace-days = { $count ->
    [0] no time
    [one] one day
   *[other] { $count } days
}
renewing-price = { $price }, { $count } payments
meaning-instalments = Paid in { $count } payments, { $total } in all; then it is yours to keep. If you end it before, it stops, and nothing comes back.
meaning-fixed = It ends by itself after { $count } payments, { $total } in all. You can end it before, at any time, without an account too.
grant-while-paid-days = { $count ->
    [0] Works for as long as it is paid
    [one] Works for as long as it is paid, and a day of grace
   *[other] Works for as long as it is paid, and { $count } days of grace
}
grant-instalments = Yours to keep when all payments are made
subs-next-fixed = { $count ->
    [one] The last payment, { $amount }, is due on { $date }.
   *[other] { $count } payments are left; the next one, { $amount }, is due on { $date }.
}
subs-next-last = This is the last period. It ends on { $date }, and nothing more is charged.
subs-next-completed = It is over: all of its payments were made.
subs-next-paid-off = All of it is paid. The license is yours to keep.
fact-ended-completed = All of its payments were made. If it was paid in instalments, the license is yours to keep; else it ended with its last period.
