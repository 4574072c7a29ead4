-- Where sellers want to be told of facts, what they are told, and every try.

-- events: names between spaces; empty means all. failures: deliveries in a row that failed to
-- their end. A deleted endpoint keeps its row, without its address.
CREATE TABLE webhook_endpoint (
    tenant_id BYTEA NOT NULL,
    endpoint_id BYTEA NOT NULL,
    seller_id BYTEA NOT NULL REFERENCES account (account_id),
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    events TEXT NOT NULL,
    scheme TEXT NOT NULL,
    failures BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    disabled_at BIGINT,
    disabled_why TEXT,
    deleted_at BIGINT,
    PRIMARY KEY (tenant_id, endpoint_id)
);

CREATE INDEX webhook_endpoint_seller ON webhook_endpoint (tenant_id, seller_id, endpoint_id);

-- The newest secret has no end; the ones before sign too until theirs.
CREATE TABLE webhook_secret (
    tenant_id BYTEA NOT NULL,
    secret_id BYTEA NOT NULL,
    endpoint_id BYTEA NOT NULL,
    secret_sealed BYTEA NOT NULL,
    public_key TEXT,
    created_at BIGINT NOT NULL,
    ends_at BIGINT,
    PRIMARY KEY (tenant_id, secret_id),
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhook_endpoint (tenant_id, endpoint_id)
);

CREATE INDEX webhook_secret_endpoint ON webhook_secret (tenant_id, endpoint_id, secret_id);

-- attempts counts every try; tries those since the delivery or its replay began.
CREATE TABLE webhook_delivery (
    tenant_id BYTEA NOT NULL,
    delivery_id BYTEA NOT NULL,
    endpoint_id BYTEA NOT NULL,
    event_id BYTEA NOT NULL,
    event TEXT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    next_at BIGINT,
    ended_at BIGINT,
    PRIMARY KEY (tenant_id, delivery_id),
    UNIQUE (tenant_id, endpoint_id, event_id),
    FOREIGN KEY (tenant_id, endpoint_id) REFERENCES webhook_endpoint (tenant_id, endpoint_id)
);

CREATE INDEX webhook_delivery_endpoint ON webhook_delivery (tenant_id, endpoint_id, delivery_id);
CREATE INDEX webhook_delivery_ended ON webhook_delivery (ended_at, delivery_id);

-- status is absent when nothing was answered; answer is how the body began.
CREATE TABLE webhook_attempt (
    tenant_id BYTEA NOT NULL,
    delivery_id BYTEA NOT NULL,
    number BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    status BIGINT,
    duration_ms BIGINT NOT NULL,
    answer TEXT NOT NULL,
    tried_at BIGINT NOT NULL,
    PRIMARY KEY (tenant_id, delivery_id, number),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES webhook_delivery (tenant_id, delivery_id)
);
