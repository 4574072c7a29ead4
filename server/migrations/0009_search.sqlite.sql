-- The word index of the catalog, keyed by product.doc_id. Its words come finished from the
-- server's tokenizer; FTS5 only splits them at spaces. `SELECT rowid FROM product_words(question)`
-- is FTS5's own table-valued form.

CREATE VIRTUAL TABLE product_words USING fts5(
    tokens, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii'
);
