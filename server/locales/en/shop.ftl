# Browsing and buying.

home-window-title = Software with offline licenses
home-title = Software you own the license to
home-lead = Downloads, APIs, subscriptions, packages and advice from independent developers. Every license is signed and works with the network off.
home-categories = Categories
home-empty-title = The shelves are empty
home-empty-text = Nobody sells here yet. List a product and it appears on this page.
home-empty-action = Sell the first product
shelf-newest = New
shelf-all = { $count ->
    [one] See the one product
   *[other] See all { $count }
}
shelf-more = See all
category-description = Products in { $category }, each with a license that is checked offline.

count-results = { $count ->
    [one] 1 product
   *[other] { $count } products
}
count-results-more = More than { $count } products
sort-label = Order
sort-newest = Newest
sort-name = By name
facet-kind = Kind
facet-price = Price
facet-category = Category
band-free = Free
band-metered = Pay as you use
band-under-10 = Under 10
band-under-50 = 10 to 50
band-under-200 = 50 to 200
band-from-200 = 200 and more
nothing-found-title = Nothing fits
nothing-found-text = Try fewer words or another spelling, or take a filter away.
nothing-found-action = Show everything

kind-download = Download
kind-api = API
kind-subscription = Subscription
kind-package = Package
kind-consultation = Consultation

price-free = Free
price-metered = Pay as you use
price-cycle = { $unit ->
    [day] { $count ->
        [one] { $price } a day
       *[other] { $price } every { $count } days
    }
    [week] { $count ->
        [one] { $price } a week
       *[other] { $price } every { $count } weeks
    }
    [month] { $count ->
        [one] { $price } a month
       *[other] { $price } every { $count } months
    }
   *[year] { $count ->
        [one] { $price } a year
       *[other] { $price } every { $count } years
    }
}
cycle-every = { $unit ->
    [day] { $count ->
        [one] Every day
       *[other] Every { $count } days
    }
    [week] { $count ->
        [one] Every week
       *[other] Every { $count } weeks
    }
    [month] { $count ->
        [one] Every month
       *[other] Every { $count } months
    }
   *[year] { $count ->
        [one] Every year
       *[other] Every { $count } years
    }
}
price-from-free = Free, or more
price-from-metered = As you use, or fixed
price-from = from { $price }
price-none = No price yet
meaning-free = No payment, no card.
meaning-metered = Nothing now. You pay for what you use, at the end of each month.
meaning-one-time = Paid once.
meaning-recurring = It renews by itself until you end it. You can end it at any time, without an account too.

product-by = by { $seller }
product-own = This is your product.
product-edit = Edit it
product-no-price = This isn’t for sale right now.
product-choose-price = Choose a price
product-buy = Buy
product-get = Get it free
product-about = What it is
product-usage = What usage costs
product-usage-text = Counted on your machine, reported when there is a network, billed by the month.
product-license = The license
product-license-text = You get a license file signed by the seller. The program checks it by itself, without a network and without us. Keep the file: it stays valid for as long as it says.
product-homepage = The product’s own site
product-seller = Who sells it
meter = Counted
meter-free = Free each month
meter-price = Price
tariff-flat = { $price } a month
tariff-unit = { $price } for each { $unit }
tariff-tiers = from { $price } for each { $unit }, less for more
tariff-package = { $price } for every { $size }
tariff-percentage = { $price } of the amount
tariff-percentages = up to { $price } of the amount, less for more
tariff-matrix = from { $price } for each { $unit }, by kind
grant-devices = { $count ->
    [one] For 1 device at a time; you can move it
   *[other] For { $count } devices at a time; you can move them
}
grant-days = { $count ->
    [one] Valid for 1 day
   *[other] Valid for { $count } days
}
grant-for-ever = Doesn’t expire by itself
grant-while-paid = Works for as long as it is paid, and a week of grace
grant-feature = Includes { $name }
grant-value = { $name }: { $value }
grant-offline = Checked on your device, no network needed
quota-lifetime = Up to { $limit } × { $unit } in all
quota-hour = Up to { $limit } × { $unit } an hour
quota-day = Up to { $limit } × { $unit } a day
quota-week = Up to { $limit } × { $unit } a week
quota-month = Up to { $limit } × { $unit } a month
quota-year = Up to { $limit } × { $unit } a year
quota-billing-month = Up to { $limit } × { $unit } in each month from the day you get it
quota-overage = { $quota }, and beyond it as much as you use
quota-overage-up-to = { $quota }, and up to { $units } more beyond it
quota-rollover = { $quota }; what is left comes along, up to { $units }
fact-code = Product code
fact-spdx = Source license
fact-version = Version
fact-updated = Last changed

checkout-title = Checkout
checkout-tax = Tax
checkout-total = Total
checkout-email = Your e-mail address
checkout-email-hint = The license key and a link to your order go there. No account needed.
checkout-email-wrong = This doesn’t look like an e-mail address.
checkout-signed-in = You buy as { $name }. The license appears among your licenses.
checkout-next-pay = Next you go to the payment page. Afterwards you come back here and get your key at once.
checkout-next-free = You get your key at once.
checkout-pay = Pay { $amount }
checkout-get = Get the license
checkout-safe = Card data is entered at the payment provider and never reaches this shop.
checkout-back = Back
checkout-changed = The price changed while you were looking. The new total is { $total }. Nothing was charged: check it and go on if it suits you.
checkout-changed-price = { $title }: the price was { $was } and is { $now } now.
checkout-changed-discount = { $title }: the discount was { $was } and is { $now } now.
checkout-changed-tax = { $title }: the tax was { $was } and is { $now } now.
checkout-look-again = The total below is for what you just changed. Nothing was charged: check it and go on if it suits you.
consent-waiver = I want it supplied at once, and I know that by this I lose my right to withdraw from the purchase.
consent-terms = By buying you agree to what each license grants, as its product’s page shows it.
checkout-waiver-missing = Please agree, so that it can be supplied at once.
checkout-changed-terms = What a license grants has changed.
order-claim = Put this order into my account
order-claim-text = This order was placed without an account, with your address.
checkout-quantity-most = { $count ->
    [one] One order holds 1 at most.
   *[other] One order holds { $count } at most.
}
checkout-amount = What you pay for one ({ $currency })
checkout-amount-hint = You name the price: { $amount } or more.
checkout-amount-low = It must be { $amount } or more.
checkout-amount-fees = This is less than the payment itself costs. Name a little more, or nothing if that is allowed.
checkout-country = Your country
checkout-country-hint = This price is for buyers in these countries only.
checkout-country-wrong = Not everything here is for sale in that country.
price-named = from { $least }, { $price } suggested
meaning-named = You name the price. Once, yours to keep.
checkout-quantity = Quantity
checkout-quantity-wrong = A whole number from 1 to 100.
checkout-code = Discount code
checkout-apply = Update the total
checkout-discount = Discount by { $code }
coupon-refused-invalid = This code isn’t valid for what you are buying.
coupon-refused-inactive = This code isn’t active now.
coupon-refused-few = This code needs a quantity of at least { $count }.
coupon-refused-many = { $count ->
    [one] This code is good for 1 more only.
   *[other] This code is good for { $count } more only.
}
coupon-refused-sold-out = This code is used up.
coupon-refused-yours = You have used this code as often as it allows.
coupon-refused-spend = This code needs a purchase of at least { $amount }.
coupon-refused-free = This code would make a subscription free for a while, which isn’t offered.
coupon-below-fees = With this code the price would be less than the payment itself costs, so it can’t be used here.
checkout-own = This is your own product; it can’t be bought by yourself.

order-title = Your order
order-summary = Your order
order-refreshing = This page looks again by itself.
order-license-page = Open the license
order-placed = Placed on { $when }
order-retry = Pay now
order-awaiting = Awaiting payment
order-awaiting-title = Waiting for the payment
order-awaiting-text = As soon as the payment is confirmed, your key appears here. This takes a few seconds.
order-paid = Paid
order-paid-title = It’s yours
order-paid-text = Your license is ready. Enter the key in the product, or download the license file.
order-part-refunded = Partly refunded
order-part-refunded-text = Part of the money went back to you. Your license stays in force.
order-refunded = Refunded
order-refunded-title = Refunded
order-refunded-text = The whole amount went back to you, and the license with it.
order-expired = Expired
order-expired-title = This order has expired
order-expired-text = Nobody paid in time, and nothing was charged. You can order again.
order-failed = Payment failed
order-failed-title = The payment didn’t go through
order-failed-text = Nothing was charged. Your order is kept: try again, with the same card or another.
order-void = Called off
order-void-title = This order was called off
order-void-text = Nothing was charged.

verify-title = Check the license in your program
verify-text = The trust text below is all that a program needs, and it is public. Build it in; the check runs with the network off.
verify-trust = Trust text
verify-python = Python
verify-node = Node
verify-command = Command line

# The cart
cart-title = Cart
cart-add = Put into the cart
cart-empty = Nothing in your cart
cart-empty-text = Put products of any seller in here and buy them all at once.
cart-browse = Look around
cart-removed = Taken out of the cart.
cart-undo = Put it back
cart-apart = This price is in another currency than your cart. An order has one currency: buy it by itself, and your cart stays as it is.
cart-apart-action = Buy it by itself
cart-gone = Something in your cart is no longer for sale.
cart-full = A cart holds at most 50 products. Buy these first.
cart-left = Some of what you had put into the cart before you signed in is in another currency or too much for one order. It waits until this cart is bought.
cart-change = Change
cart-remove = Take out
cart-of-seller = From { $seller }
cart-codes = Discount codes are entered at the checkout.
cart-checkout = Go to the checkout
cart-remind-text = Shall we write you once, if this cart lies untouched for a day?
cart-remind = Remind me once
cart-remind-on = If this cart lies untouched for a day, we write you once.
cart-remind-stop = Don’t remind me
