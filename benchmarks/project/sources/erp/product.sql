-- Articles, as they are from changed_at on.
SELECT
    articles.article AS product_id,
    articles.ean AS gtin,
    articles.name AS product_name,
    articles.brand AS brand,
    articles.department AS category_1,
    articles.article_group AS category_2,
    articles.unit AS base_unit,
    articles.price AS list_price_amount,
    articles.cost AS standard_cost_amount,
    articles.changed_at AS updated_at
FROM bronze.erp__articles AS articles;
