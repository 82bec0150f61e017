-- What the functions of serve are asked for: their arguments, in this order; always empty, a call brings its own row.
-- refresh: build
CREATE TABLE meta.asked (
    as_of      date        NOT NULL, -- a business day, at its end
    first_date date        NOT NULL, -- first business day of a span
    last_date  date        NOT NULL, -- last business day of a span
    known_at   timestamptz NOT NULL  -- the state of knowledge: what had landed by this instant
);
