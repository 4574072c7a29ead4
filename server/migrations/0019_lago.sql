-- What clients of Lago's API define besides meters: customers, plans and subscriptions, as they
-- described them. They belong to that API alone; products and licenses are sold elsewhere.
CREATE TABLE lago_object (
    seller_id BYTEA NOT NULL,
    kind TEXT NOT NULL,
    code TEXT NOT NULL,
    lago_id BYTEA NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (seller_id, kind, code)
);
