# What is asked before money moves: to buyers, to sellers, and to the platform's owner.

risk-refused = This shop can’t take this purchase right now. Nothing was placed and nothing charged. Try again tomorrow, or write to the shop and quote { $number }.
risk-sign-in = This purchase is for people who are signed in. Sign in or make an account, and come back: nothing was charged.
problem-purchase-refused = This shop can’t take another payment for this right now. Nothing was charged. Try again tomorrow, or write to the shop.
problem-sign-in-to-buy = This purchase is for people who are signed in. Sign in or make an account, and try again: nothing was charged.
sale-hold-review = { $amount } is held while the platform takes a closer look at this order. It is released from { $until } on, once the platform has let it go; if it decides for a refund, the buyer gets the money back.
