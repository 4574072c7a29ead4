# What can be offered: prices and plans, and what comes of them.

prices-title = Prices
prices-price = Price
prices-places = For
prices-since = Since
prices-until = Until
prices-everywhere = everybody
place-africa = Africa
place-eea = the European Economic Area
place-eu = the European Union
place-latin-america = Latin America
place-south-asia = South Asia
place-southeast-asia = Southeast Asia
prices-only = only { $places }
prices-instead = instead, in { $places }
prices-add = Add a price
prices-edit = A new version of this price
prices-text = A price is never changed: a new version takes its place. Whoever bought or subscribed keeps what they had.
prices-create = Add the price
prices-save = Put the new version in its place
prices-model = How it is charged
prices-countries-hint = Two letters each, or EU, EEA, AFRICA, LATIN-AMERICA, SOUTH-ASIA, SOUTHEAST-ASIA. Nothing is everywhere.
prices-by-itself = A price by itself
prices-region-of = Stands in for
prices-region-of-hint = Buyers in the countries above pay this instead. One that is named goes before a group.
prices-countries-wrong = A country is two letters, such as DE; a group is one of those above.
prices-countries-twice = One of these has a price of its own already.
prices-countries-missing = Name the countries that it is for.
prices-fixed = This stays as it is. Add another price instead.
prices-last = What is for sale needs a price; add another one first.
prices-archive = Take out of sale
prices-restore = Bring back
prices-archived = Not for sale any more
prices-example = Example bill
prices-example-empty = Once the product has a meter with a tariff, this shows what its use costs.
prices-example-none = This tariff needs to know more than the number of units.
prices-units = Units of each meter in a period
prices-units-action = Work it out
prices-move = Move subscribers to another price
prices-move-text = They are told at once, pay it from the first period that begins on the day or later, and may keep theirs until then. Everybody else keeps theirs anyway.
prices-move-from = Those who pay
prices-move-to = To
prices-move-day = From
prices-move-day-hint = A day such as 2027-05-01, at least 30 days ahead.
prices-move-day-wrong = A day such as 2027-05-01, at least 30 days ahead.
prices-move-alike = Both prices must be of the same period and currency.
prices-move-action = Tell them
prices-was = { $price } (not for sale since { $date })
prices-told = { $count ->
    [0] Nobody pays that price, so nobody was told.
    [one] One subscriber was told.
   *[other] { $count } subscribers were told.
}
prices-link = Prices
checkout-elsewhere = Elsewhere
checkout-place = The price in { $place }
product-regional = In some countries it has another price. The checkout shows it before you pay.
subs-announced = From { $date } on, a period costs { $amount }. You can keep your price until then.
subs-keep-price = Keep my price
prices-terms-hint = Leave this, features and quotas empty for what the product itself grants.
upgrade-title = Upgrade
upgrade-of = Upgrade { $product }
upgrade-back = Back to the license
upgrade-text = The same license grants more while it is paid for: devices stay, and so does what was counted. When you end it, it goes back to what it grants now, at the end of the period.
upgrade-action = Upgrade for { $price }
upgrade-changed = The price has changed. This is what it costs now.
upgrade-open = A payment of this upgrade is on its way already.
