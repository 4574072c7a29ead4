# Invoices, credit notes and statements: pages, files and lists.

invoice-void = Called off
invoice-pay = Pay { $amount }
invoice-pay-later = Pay later invoices for this use by themselves, with what I pay with now
invoice-pay-text = This invoice isn’t paid yet.
invoice-pay-failed = The last payment was declined, and nothing was charged. You can try again.
invoice-pay-begun = A payment was begun. When you have paid, it shows here in a moment; otherwise go on with it.
invoice-refund-lead = The money goes back to the method that it was paid with. What was used stays counted, and the license works on.
invoice-refund-unpaid = This invoice isn’t paid, so nothing can go back.
invoice-void-text = Nobody needs to pay this invoice any more? Call it off. A credit note takes all of it, and what it billed isn’t billed again.
invoice-void-button = Call it off

papers-title = Invoices
papers-lead = Every invoice and credit note of yours. Nothing is issued for what costs nothing.
papers-sold-lead = Invoices that your products stand on, with what your own lines come to.
papers-years = Years
papers-all-years = All years
papers-none-title = No invoice here
papers-none-text = An invoice is issued the moment something is paid.

paper-pdf = PDF
paper-page = Page { $number } of { $total }
paper-from = From
paper-to = To
paper-tax-number = Tax number { $number }
paper-supplied = Supplied
paper-order = Order
paper-price = Price
paper-discount = Discount
paper-tax = Tax
paper-tax-in = Tax in it
paper-tax-of = { $rate } % { $amount }
paper-tax-rate = Tax { $rate } %
paper-tax-rate-where = Tax { $rate } % { $where }
paper-tax-reason = Tax: { $reason }
paper-tax-inclusive = Prices hold the tax.
paper-net = Before tax
paper-issued = Issued
paper-related = Papers that belong together

paper-credit-heading = Credit note { $number }
paper-correction-heading = Correction { $number }
paper-statement-heading = Statement { $number }
paper-about = About
paper-about-of = Invoice { $number } of { $date }
paper-corrects = Takes back
paper-reason = Reason
paper-note = Note
paper-usage = Usage
paper-credited = Credited
paper-corrected = No longer credited
paper-reason-requested = The buyer asked for it
paper-reason-duplicate = Bought twice
paper-reason-defective = It doesn’t work
paper-reason-withdrawal = The buyer withdrew from the contract
paper-reason-fraud = The card’s owner didn’t buy it
paper-reason-chargeback = The bank took the payment back
paper-reason-void = The invoice was called off
paper-reason-other = Another reason

paper-buyer-title = Add your details
paper-buyer-text = Name, address and tax number are put on this invoice once. After that it never changes.
paper-buyer-name = Name or company
paper-buyer-address = Address
paper-buyer-tax-number = Tax number
paper-buyer-save = Put them on the invoice
paper-buyer-wrong = Keep name and tax number to 120 characters, the address to 8 lines, and fill in at least one.
