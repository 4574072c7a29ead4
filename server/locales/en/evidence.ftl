# What a bank that asks about a payment is answered.

evidence-title = Answer the bank
evidence-link = Answer the bank
evidence-link-seen = What the bank was answered
evidence-platform = Several sellers share this order, so the platform answers the bank. Write to it what you know.
evidence-due = { $count ->
    [0] The bank waits until { $when }: less than a day is left.
    [one] The bank waits until { $when }: one day is left.
   *[other] The bank waits until { $when }: { $count } days are left.
}
evidence-was-due = The bank waited until { $when }. What comes now comes too late.
evidence-answer = Answer
evidence-state-draft = Not answered yet
evidence-state-sending = Being sent
evidence-state-sent = Answered
evidence-state-accepting = Being given up
evidence-state-accepted = Given up
evidence-state-refused = Not taken
evidence-never = The bank hasn’t asked anything that can be answered.
evidence-unanswered = The bank has decided, and nobody had answered.
evidence-asks-inquiry = The bank asks about this sale and hasn’t taken the money. A good answer often ends it. If nobody answers, what the house knows is sent by itself shortly before the deadline.
evidence-asks-chargeback = The bank took the money for now, and decides after it has read your answer. If nobody answers, what the house knows is sent by itself shortly before the deadline.
evidence-means-sending = The answer is on its way to the provider. It changes no more.
evidence-means-sent = The provider took the answer. It changes no more; the bank may take weeks to decide.
evidence-means-default = Nobody had answered shortly before the deadline, so what the house knew was sent. It changes no more; the bank may take weeks to decide.
evidence-means-accepting = The provider is being told that you give up.
evidence-means-accepted = You took the bank’s word. The money stays with the buyer.
evidence-means-refused = The provider did not take it; what it said stands below.
evidence-answered-at = Handed in
evidence-failure = The provider said
evidence-yours = What only you know
evidence-yours-text = Write plainly and to the point: somebody at the bank reads this once. Leave empty what you have nothing to say about.
evidence-product = What you sold
evidence-product-hint = What it is and does, and that the buyer got it.
evidence-policy = What you told the buyer about refunds
evidence-policy-hint = Your rules, and where they could be read before buying.
evidence-communication = What you and the buyer wrote to each other
evidence-communication-hint = With the days. Copy the messages; leave out what is nobody’s business.
evidence-statement = Why the sale was right
evidence-statement-hint = In a few sentences, what speaks against what the bank says.
evidence-text-long = At most { $most } characters.
evidence-save = Save and go on later
evidence-submit = Send the answer
evidence-once = It is sent once, with what the house knows below, and can’t be changed afterwards.
evidence-known = What the house knows
evidence-known-text = This goes with the answer, as it is at that moment. The address of the receipt is added when it is sent, and isn’t shown here.
evidence-known-order = The order
evidence-known-products = What was bought
evidence-known-papers = Its papers
evidence-known-agreed = What the buyer agreed to
evidence-known-licenses = What was delivered
evidence-known-activity = What was done with it
evidence-known-refunds = What went back
evidence-accept = Give up
evidence-accept-text = You say nothing and take the bank’s word. The money stays with the buyer, the license ends, and the platform gives its fee of the sale back to you. What the provider charges for the dispute stays yours to bear. This can’t be undone.
evidence-accept-sure = I don’t want to answer, and the buyer shall keep the money.
evidence-accept-sure-missing = Say that you mean it.
evidence-accept-button = Give the dispute up
evidence-done-save = The draft is saved. Nothing has been sent yet.
evidence-done-submit = The answer is on its way to the provider.
evidence-done-accept = The provider is told that you give up.
evidence-given = It was answered or given up meanwhile. This is what was sent.
evidence-moved = The bank has moved on since you looked. This is where it stands.
evidence-late = The deadline is over, so the bank takes no answer any more.

# In the sandbox.

evidence-sandbox-due = waits for an answer until { $when }
evidence-sandbox-taken = answered at { $when }

# By mail.

evidence-mail-due-subject = A bank still waits for your answer
evidence-mail-due-intro = Nobody has answered yet. If nobody does, what the shop knows of the sale is sent by itself shortly before the time below. You know more: what you wrote to each other, and why the sale was right.
evidence-mail-platform = Several sellers share this order, so the operator of this shop answers. Send what you know before the time below.
evidence-mail-open = Answer the bank
