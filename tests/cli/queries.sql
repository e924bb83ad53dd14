SELECT item_id, score FROM reco.recommendations WHERE user_id = :user ORDER BY rank
SELECT * FROM reco.recommendations WHERE user_id = :user AND rank <= 5
SELECT r.rank, i.title FROM reco.recommendations AS r JOIN items AS i ON i.id = r.item_id WHERE r.user_id = :user ORDER BY r.rank
SELECT r.rank, i.title FROM reco.recommendations AS r LEFT JOIN items AS i ON i.id = r.item_id WHERE r.user_id = :user ORDER BY r.rank
SELECT * FROM users AS u JOIN reco.recommendations AS r ON r.user_id = u.id WHERE u.name = :name
SELECT * FROM users AS u LEFT JOIN reco.recommendations AS r ON r.user_id = u.id WHERE u.id = :user
SELECT * FROM users AS u LEFT JOIN reco.recommendations AS r ON u.id = r.user_id AND r.rank = 1 WHERE u.name = :name
/* scan u */ SELECT u.id, r.item_id FROM users AS u LEFT JOIN reco.recommendations AS r ON r.user_id = u.id AND r.rank = 1
/* scan u */ SELECT u.id, count(r.item_id) FROM users AS u LEFT JOIN reco.recommendations AS r ON r.user_id = u.id GROUP BY u.id
/* scan u */ SELECT u.id FROM users AS u LEFT JOIN reco.recommendations AS r ON r.user_id = u.id WHERE r.user_id IS NULL
/* scan u */ SELECT u.id FROM users AS u WHERE NOT EXISTS (SELECT 1 FROM reco.recommendations AS r WHERE r.user_id = u.id)
/* scan u */ SELECT u.id, (SELECT r.item_id FROM reco.recommendations AS r WHERE r.user_id = u.id AND r.rank = 1) AS first FROM users AS u
SELECT r.rank, i.title FROM users AS u LEFT JOIN reco.recommendations AS r ON r.user_id = u.id LEFT JOIN items AS i ON i.id = r.item_id WHERE u.id = :user ORDER BY r.rank LIMIT 10
SELECT r.rank, r.item_id, e.because_item_id FROM reco.recommendations AS r JOIN reco.recommendation_reasons AS e USING (user_id, rank) WHERE user_id = :user
SELECT r.rank, r.item_id, e.because_item_id FROM reco.recommendations AS r LEFT JOIN reco.recommendation_reasons AS e USING (user_id, rank) WHERE user_id = :user
SELECT r.rank, r.item_id, e.because_item_id FROM reco.recommendations AS r LEFT JOIN reco.recommendation_reasons AS e ON e.user_id = r.user_id AND e.item_id = r.item_id WHERE r.user_id = :user
SELECT r.rank, b.title FROM reco.recommendations AS r LEFT JOIN reco.recommendation_reasons AS e ON e.user_id = r.user_id AND e.rank = r.rank AND e.place = 1 LEFT JOIN items AS b ON b.id = e.because_item_id WHERE r.user_id = :user ORDER BY r.rank
SELECT r.rank, sum(p.value * p.weight) FROM reco.recommendations AS r LEFT JOIN reco.recommendation_parts AS p USING (user_id, rank) WHERE user_id = :user GROUP BY rank
SELECT r.item_id FROM reco.recommendations AS r WHERE r.user_id = :user AND r.item_id NOT IN (SELECT item_id FROM events WHERE user_id = :user) ORDER BY r.rank
SELECT r.item_id FROM reco.recommendations AS r JOIN items AS i ON i.id = r.item_id WHERE r.user_id = :user AND i.price < 20 ORDER BY r.rank LIMIT 5
SELECT item_id FROM reco.recommendations WHERE user_id = :user UNION ALL SELECT item_id FROM (SELECT item_id FROM reco.recommendations WHERE user_id = :other ORDER BY rank LIMIT 3)
SELECT item_id, row_number() OVER (ORDER BY score DESC) AS place FROM reco.recommendations WHERE user_id = :user
WITH mine AS (SELECT item_id, rank FROM reco.recommendations WHERE user_id = :user) SELECT i.title FROM mine LEFT JOIN items AS i ON i.id = mine.item_id ORDER BY rank
SELECT count(*) FROM reco.recommendations WHERE user_id = :user
SELECT EXISTS (SELECT 1 FROM reco.recommendations WHERE user_id = :user AND item_id = :item)
SELECT a.item_id FROM reco.recommendations AS a JOIN reco.recommendations AS b USING (item_id) WHERE a.user_id = :user AND b.user_id = :other
SELECT user_id FROM reco.recommendations WHERE item_id = :item
SELECT user_id, rank FROM reco.recommendations WHERE item_id = :item AND rank <= 3
SELECT count(*) FROM reco.recommendations WHERE item_id = :item
SELECT i.title, r.user_id FROM items AS i LEFT JOIN reco.recommendations AS r ON r.item_id = i.id WHERE i.id = :item
/* scan i */ SELECT i.id, count(r.user_id) FROM items AS i LEFT JOIN reco.recommendations AS r ON r.item_id = i.id GROUP BY i.id
SELECT similar_item_id FROM reco.similar_items WHERE item_id = :item ORDER BY rank LIMIT 5
SELECT i.title, s.similar_item_id FROM items AS i LEFT JOIN reco.similar_items AS s ON s.item_id = i.id WHERE i.id = :item
SELECT j.title FROM items AS i LEFT JOIN reco.similar_items AS s ON s.item_id = i.id LEFT JOIN items AS j ON j.id = s.similar_item_id WHERE i.id = :item ORDER BY s.rank
SELECT e.item_id, s.similar_item_id FROM events AS e LEFT JOIN reco.similar_items AS s ON s.item_id = e.item_id WHERE e.user_id = :user
SELECT embedding FROM reco.user_embeddings WHERE user_id = :user
SELECT i.title, e.embedding FROM items AS i LEFT JOIN reco.item_embeddings AS e ON e.item_id = i.id WHERE i.id = :item
SELECT t.item_id, i.title FROM reco.trending_items AS t LEFT JOIN items AS i ON i.id = t.item_id WHERE t.days = 7 AND t.category = '' ORDER BY t.rank
SELECT item_id FROM reco.trending_items WHERE category = :name AND days = 7 ORDER BY rank LIMIT 10
SELECT i.id, t.rank FROM items AS i LEFT JOIN reco.trending_items AS t ON t.category = '' AND t.days = 1 AND t.item_id = i.id WHERE i.id = :item
SELECT similar_user_id FROM reco.similar_users WHERE user_id = :user ORDER BY rank
SELECT u.name, s.similar_user_id, v.name FROM users AS u LEFT JOIN reco.similar_users AS s ON s.user_id = u.id LEFT JOIN users AS v ON v.id = s.similar_user_id WHERE u.id = :user
SELECT s.similar_user_id, e.item_id FROM reco.similar_users AS s JOIN events AS e ON e.user_id = s.similar_user_id WHERE s.user_id = :user AND s.rank <= 5
SELECT p.item_id, i.title FROM reco.popular_items AS p LEFT JOIN items AS i ON i.id = p.item_id WHERE p.rank <= 10
/* scan recommendations_g1 */ SELECT count(*) FROM reco.recommendations
/* scan similar_items_g1 */ SELECT count(*) FROM reco.similar_items
