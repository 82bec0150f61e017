-- A source of the project, with the settings that say what its figures mean.
-- refresh: build
CREATE TABLE meta.source (
    source_name  text    PRIMARY KEY, -- name in the settings
    moves_stock  boolean NOT NULL,    -- do its sale lines move stock?
    stock_starts text    NOT NULL     -- zero: stock is 0 before the first movement; count: not known before the first count
);
