# The account's own page, and the links that change its address.

account-title = Account
account-email = E-mail address
account-pending = A link went to { $email }. Until it is used, by { $until }, nothing changes.
account-leave = Leave the address as it is
account-change = Change the address
account-change-text = A link goes to the new address and works for a day; until it is used nothing changes. The old address is told. Licenses, orders, subscriptions and payment methods stay with the account; invoices issued before keep the address that is on them.
account-new = New e-mail address
account-password-hint = The password of this account, so that nobody else changes it.
account-password-wrong = The password is wrong.
account-same = This is the address that the account has.
account-ask = Send the link
account-confirm-title = Confirm the new address
account-confirm-text = From now on the account’s mail goes to this address, and you sign in with it.
account-confirm = Confirm it
account-confirmed = The account has its new address. Sign in with it from now on.
account-stop-title = That was not me
account-stop-text = The change of the address is stopped, or taken back if it has happened already. Everybody is signed out of the account.
account-stop = Stop the change
account-stopped = The address stays what it was, and everybody was signed out. Somebody knows your password: don’t use it anywhere else, and write to this shop.

mail-address-subject = Confirm your new e-mail address
mail-address-intro = Somebody who is signed in to an account here wants its mail to go to this address. Until you confirm that, nothing changes.
mail-address-taken = Somebody who is signed in to an account here wants its mail to go to this address. There is an account with this address already, so nothing changes. If that was you, sign in with it.
mail-address-until = Works until (UTC)
mail-address-confirm = Confirm this address
mail-address-sign-in = Sign in
mail-address-outro = If you know nothing of this, you needn’t do anything.
mail-address-new = New address
mail-address-back-until = Can be taken back until (UTC)
mail-address-not-me = That was not me
mail-address-asked-subject = Another e-mail address was asked for
mail-address-asked-intro = Somebody who knows the password of your account wants its mail to go to another address. Nothing changes until the new address is confirmed.
mail-address-asked-outro = If that was you, you needn’t do anything. If not, stop it: everybody is signed out then, and the address stays.
mail-address-changed-subject = Your account has another e-mail address
mail-address-changed-intro = From now on the mail of your account goes to the new address, and you sign in with it.
mail-address-changed-outro = If that was not you, take it back: for three days the link above does so, and signs everybody out.
