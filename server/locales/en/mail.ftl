# Mail. Subjects and bodies, one sentence a key.

mail-welcome-subject = Welcome to Mintreu
mail-welcome-intro = Your account is ready. Everything you buy is kept here: licenses, devices, usage and invoices.
mail-welcome-licenses = Open your licenses
mail-welcome-outro = If you did not open this account, you can ignore this mail.

mail-order-subject = Your order { $order }
mail-order-intro = Thank you for your purchase. Your license is ready.
mail-order-renews = { $product } renews by itself: it is charged again on { $date }, and so on until you end it. You can end it at any time where your order is.
mail-order-product = Product
mail-order-key = License key
mail-order-total = Total
mail-order-open = Open your order
mail-order-outro = Enter the key in the product, or on the order page to download a license that works without a network. Keep this mail: its link opens your order without an account.

mail-invoice-subject = Invoice { $number }
mail-invoice-intro = Here is the invoice for your usage of { $product }.
mail-invoice-number = Invoice number
mail-invoice-total = Amount due
mail-invoice-due = Due by (UTC)
mail-invoice-open = Open the invoice
mail-invoice-outro = Every line shows its quantity, its free units and the price it was rated by.

mail-usage-subject = Your usage so far
mail-usage-intro = Here is what you have used in the running period, and what it costs so far.
mail-usage-product = Product
mail-usage-period = Period (UTC)
mail-usage-cost = Cost so far
mail-usage-projected = Projected bill
mail-usage-open = See your usage
mail-usage-stop = Choose how often you get this mail
mail-usage-outro = The projection goes on as the period began, and is at least what was committed.

mail-quota-subject = { $percent }% of your { $unit } quota is used: { $product }
mail-quota-intro = { $percent }% of what your license of { $product } includes has been used, by all devices and API keys together.
mail-quota-used = Used
mail-quota-limit = Included
mail-quota-resets = Begins anew on (UTC)
mail-quota-outro = Devices tell what they used when they sync, so that a little more may be used than is known.

mail-order-waiver = At { $when } you agreed ({ $version }): { $text }

mail-cart-subject = Your cart is still there
mail-cart-intro = You asked to be reminded once: something is waiting in your cart.
mail-cart-open = Open your cart
mail-cart-outro = Prices are those of today. There will be no further reminder of this cart.

mail-webhook-subject = A webhook endpoint was switched off
mail-webhook-gone = Your server answered that this address is gone (410), so we send nothing there any more.
mail-webhook-failing = Ten deliveries in a row failed, each after ten tries in three days, so we send nothing there any more.
mail-webhook-url = Address
mail-webhook-open = See what failed
mail-webhook-outro = When your server is well again, switch the endpoint on and replay what it missed.
