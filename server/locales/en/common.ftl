# The frame of every page, formats, errors.

shop-name = Mintreu
home = Shop
crumbs = Where you are
skip-to-content = Skip to the content
demo-banner = This is a demonstration: the money is play money and the data may go.
demo-people = Sign in as one of { $people }, and look around. The password is: { $password }
footer-promise = Software with licenses that work without asking anyone.
copy = Copy
copied = Copied

nav-main = Main
nav-footer = More
nav-activate = Activate offline
nav-licenses = Licenses
nav-usage = Usage
nav-sell = Sell
nav-redeem = Redeem a key
nav-api = API
nav-sign-in = Sign in
nav-sign-out = Sign out

search-label = Search the shop
search-placeholder = Search software
search-button = Search
search-title = Search
search-everything = Everything
search-for = “{ $words }”
results-heading = Products
pages-label = Pages
pages-next = Next page

month-1 = January
month-2 = February
month-3 = March
month-4 = April
month-5 = May
month-6 = June
month-7 = July
month-8 = August
month-9 = September
month-10 = October
month-11 = November
month-12 = December
date = { $day } { $month } { $year }
date-and-time = { $date }, { $time } UTC

chart-as-table = The same as a table
chart-day = Day (UTC)
chart-units = Units
chart-usage = Units of { $meter } by day

error-home = Go to the shop
error-code = If you ask for help, quote
error-search = Search instead
error-missing-title = There is nothing here
error-missing-text = The address may be mistyped, or what was here has moved or isn’t yours to see. Try a search.
error-sign-in-title = Please sign in
error-sign-in-text = This page belongs to an account. Sign in and it opens.
error-forbidden-title = This isn’t open to you
error-forbidden-text = Your account isn’t allowed to do this. Nothing was changed.
error-conflict-title = Something changed meanwhile
error-conflict-text = Nothing was done. Go back, load the page again and look at what is there now.
error-too-many-title = Too many tries
error-too-many-text = Please wait a moment and try again. Nothing was lost.
error-busy-title = Very busy right now
error-busy-text = Nothing was changed. Try again in a few seconds.
error-ours-title = Our mistake
error-ours-text = Something failed on our side and was logged. Nothing you bought is affected. Try again in a while.
error-refused-title = That can’t be read
error-refused-text = Something in the request was not understood. Nothing was changed. Go back and try again.
problem-csrf-mismatch = The form was open too long, or came from another site. Nothing was changed. Go back, load the page again and send it once more.
problem-shop-missing = Open a shop first: the Sell page shows how.
problem-origin-foreign = The request came from another site’s page. Nothing was changed.
problem-body-too-large = What was sent is too large. Nothing was changed.
problem-qr-too-long = This document is too long for one code. Take the file or the text instead.
problem-too-many-moves = Seats of this license were moved too often lately. Try again in some days; nothing was changed.
problem-provider-unavailable = The payment page can’t be reached right now. Your order is kept: try again in a minute.
problem-cursor-unknown = This list has changed. Start again from its first page.

sign-in = Sign in
sign-up = Create an account
sign-in-lead = Your licenses, usage and invoices are kept in your account.
sign-up-lead = One account to buy and to sell. It keeps your licenses and shows your usage.
sign-in-other = No account yet?
sign-up-other = Have an account?
field-email = E-mail address
field-name = Your name
field-name-hint = As others may see it. Anything you like to be called.
field-password = Password
field-password-hint = At least 15 characters. A few words in a row are easy to remember. Password managers and pasting work.
refused-credentials = The address or the password is wrong.
refused-email = This doesn’t look like an e-mail address.
refused-email-taken = There is an account with this address. Sign in instead.
refused-name = A name has 1 to 80 characters on one line.
refused-password = Choose at least 15 characters that are not a well-known password and not your address.
refused-too-many = Too many tries. Wait a few minutes and try again.

field-required = This can’t stay empty.
field-too-long = This is too long.
field-out-of-range = This number is too small or too large.
field-duplicate = This is taken already.
field-unknown = This isn’t known here. Choose one that is offered.
field-malformed = This doesn’t have the right form.
field-number = Write a whole number.
field-amount = Write an amount such as 9.00.
field-quota = Write one quota a line, such as: api.calls = 1000 / month
