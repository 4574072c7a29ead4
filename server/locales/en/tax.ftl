# Tax at the checkout.

checkout-no-tax = { $amount } (no tax is collected)
checkout-tax-included = { $amount } (included: { $rate } in { $place })
checkout-tax-added = { $amount } ({ $rate } in { $place })
checkout-tax-none = { $amount } (no tax is collected in { $place })
checkout-tax-reverse = { $amount } (reverse charge: your business accounts for the VAT)
checkout-country-tax-hint = Tax is that of the country you are in.
checkout-vat-id = VAT ID, for businesses in the EU
checkout-vat-id-hint = With the letters of its country: FR40303265045. Leave it empty if you buy for yourself.
checkout-vat-id-wrong = That is no VAT ID: check its letters and digits, or leave it empty.
checkout-vat-id-elsewhere = That VAT ID is of { $country }: choose that country, or leave it empty.
sandbox-country = Country of the card
sandbox-country-hint = Two letters, or nothing: evidence of where the buyer is, for tax.
