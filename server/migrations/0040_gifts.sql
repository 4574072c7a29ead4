-- Orders that are given: who pays isn't who gets what is bought. What can identify a person stands
-- apart in gift_contact, which can be erased.

-- The link that claims a gift holds a secret that follows from the gift, its round and the server's
-- key; its hash is here. Another address is another round, and the link before opens nothing.
CREATE TABLE gift (
    tenant_id BYTEA NOT NULL,
    gift_id BYTEA NOT NULL,
    order_id BYTEA NOT NULL,
    round BIGINT NOT NULL,
    claim_hash BYTEA NOT NULL,
    sendings BIGINT NOT NULL,
    -- When the buyer wants it to be sent, at the earliest.
    send_at BIGINT NOT NULL,
    sent_at BIGINT,
    claimed_at BIGINT,
    claimed_by BYTEA,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, gift_id),
    UNIQUE (tenant_id, order_id),
    FOREIGN KEY (tenant_id, order_id) REFERENCES customer_order (tenant_id, order_id)
);

CREATE TABLE gift_contact (
    tenant_id BYTEA NOT NULL,
    gift_id BYTEA NOT NULL,
    email TEXT NOT NULL,
    sender TEXT NOT NULL,
    message TEXT NOT NULL,
    PRIMARY KEY (tenant_id, gift_id),
    FOREIGN KEY (tenant_id, gift_id) REFERENCES gift (tenant_id, gift_id)
);
