# Trials: in the editor of prices, on a product's page, at the checkout, and where one begins.

trial-days = Free days to try it
trial-days-hint = 1 to 90, for what is paid again and again; nothing for no trial. Who has begun keeps theirs.
trial-days-wrong = 1 to 90 days, and only for a price that is paid again and again.
trial-method = A trial begins
trial-method-first = with a payment method, which is charged when it ends
trial-method-later = without one; nothing is charged unless one is added
trial-short = { $count ->
    [one] one day free
   *[other] { $count } days free
}
trial-offer = { $count ->
    [one] One day free, then { $price }
   *[other] { $count } days free, then { $price }
}; cancel any time before.
trial-example = Who begins today pays nothing until { $date }, and then { $price }.

trial-title = Try it first
trial-button = { $count ->
    [one] Try one day free · { $price }
   *[other] Try { $count } days free · { $price }
}
trial-today = Today
trial-first = First charge, on { $date }
trial-then = Then
trial-cancel = Cancel before { $date } on the page of your subscription, and nothing is charged. Three days before the end, or one where it is shorter, we remind you by mail.
trial-later-text = Without a payment method nothing is charged, and the license stops with the trial. For seven days more you can add one and go on.
trial-pay-later = No payment method now
trial-start = Start the trial
trial-once = Everybody tries a product once, by their account and their address.
trial-used-title = You have tried this already
trial-used-text = A trial of this product began with this account, or with the same address, before. You can buy it.
trial-buy = Buy it for { $price }
trial-own = This is your own product.
trial-elsewhere = This price isn’t for where you are.
trial-changed = The trial, or what is charged after it, has changed since this page was drawn. This is how it stands now.
trial-method-wrong = Choose what is charged when the trial ends.
