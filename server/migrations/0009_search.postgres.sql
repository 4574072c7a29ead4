-- The word index of the catalog, keyed by product.doc_id. Its words come finished from the
-- server's tokenizer, so no text search configuration ever sees them. The function beside the
-- table answers `SELECT rowid FROM product_words(question)` as FTS5 does: all words must be
-- there, and one that ends in * stands for all that begin so.

CREATE TABLE product_words (
    rowid BIGINT NOT NULL PRIMARY KEY,
    tokens TEXT NOT NULL,
    vector tsvector GENERATED ALWAYS AS
        (array_to_tsvector(string_to_array(tokens, ' '))) STORED
);

CREATE INDEX product_words_vector ON product_words USING gin (vector);

CREATE FUNCTION product_words(question text) RETURNS TABLE (rowid bigint)
LANGUAGE sql STABLE ROWS 200 AS $$
    SELECT found.rowid FROM product_words AS found
    WHERE found.vector @@ (
        SELECT string_agg(quote_literal(rtrim(word, '*'))
            || CASE WHEN right(word, 1) = '*' THEN ':*' ELSE '' END, ' & ')::tsquery
        FROM unnest(string_to_array(question, ' ')) AS word)
$$;
