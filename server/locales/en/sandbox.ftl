# The embedded provider's payment page.
sandbox-title = Test payment
sandbox-notice = No money moves here. Choose a test card to see what follows.
sandbox-cards = Test cards
sandbox-card-succeed = pays
sandbox-card-decline = is declined
sandbox-card-challenge = asks for a proof of identity (3-D Secure)
sandbox-card-delayed = pays, and the shop hears of it five seconds later
sandbox-card-duplicate = pays, and the shop hears of it three times
sandbox-pay = Pay
sandbox-challenge = Your bank wants to know that it is you.
sandbox-confirm = It is me
sandbox-reject = It is not me
