# What is sold together: the shop's pages, the seller's, and the lines of an order.

bundles-title = Sold together
bundles-lead = Several products of one developer at one price.
bundles-none = Nothing is sold together yet
bundles-none-text = Developers put bundles together; until one does, everything is for sale by itself.
bundles-more = More
bundle = Bundle
bundle-holds = { $count ->
    [one] One product
   *[other] { $count } products
}
bundle-saves = You save { $amount }
bundle-apart = Apart
bundle-once = Paid once
bundle-buy = Buy the bundle
bundle-within = What is within
bundle-by-itself = By itself { $price }
bundle-own-keys = Each product has a license and a key of its own.
bundle-no-price = This bundle isn’t for sale just now.
bundle-withdrawn = This bundle isn’t sold any more.
bundle-missing = This bundle isn’t sold just now: { $product } within it isn’t for sale.
bundle-own = This is your own bundle.
bundle-edit = Edit the bundle
bundle-also = Also in { $bundle }
bundle-line = In { $bundle }

sell-bundles = Bundles
bundle-none-title = No bundle yet
bundle-none-text = Sell several of your products at one price. Each stays for sale by itself.
bundle-new = New bundle
bundle-new-text = It is paid once. The price is shared among its products by what each costs by itself: each sale, fee, invoice and license stays with its product. While one of them isn’t for sale, the bundle isn’t either.
bundle-create = Create the bundle
bundle-edit-text = A change holds for purchases from now on. The address stays.
bundle-back = All bundles
bundle-look = Look at it
bundle-name = Name
bundle-summary = One sentence
bundle-products = Products
bundle-products-hint = The codes of two to twenty of your products, one a line, in the order in which they are shown.
bundle-code-wrong = None of your products has the code { $code }.
bundle-prices = Price
bundle-prices-hint = One amount a currency: 79.00 EUR, 89.00 USD. Each product needs a fixed price there that is paid once.
bundle-prices-wrong = Write one amount a currency, such as 79.00 EUR.
bundle-name-wrong = One line of 1 to 80 characters, with a letter or a digit.
bundle-summary-wrong = One line of 1 to 200 characters.
bundle-too-many = You have { $count } bundles, which is as many as there can be.
bundle-products-wrong = Two to twenty of your products, each once.
bundle-no-single = { $product } has no fixed price in { $currency } that is paid once, or isn’t for sale.
bundle-amount-wrong = More than nothing, and at most { $amount }, which is what the products cost apart.
bundle-name-taken = There is a bundle of this name already.
bundle-state-on = Sold
bundle-state-off = Withdrawn
bundle-state-missing = Not sold
bundle-switch-off = Withdraw
bundle-switch-on = Sell it again

sale-bundle = Bundle
refund-whole-bundle = All of the bundle { $bundle }, not only this product
