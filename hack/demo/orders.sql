-- The database of the demo: 3000 customers, 9000 orders, the same on every machine.
CREATE TABLE customers (
	id integer PRIMARY KEY,
	name text NOT NULL,
	email text NOT NULL UNIQUE,
	country char(2) NOT NULL
);

CREATE TABLE orders (
	id integer PRIMARY KEY,
	customer integer NOT NULL REFERENCES customers (id),
	placed_on date NOT NULL,
	amount numeric(10, 2) NOT NULL,
	currency char(3) NOT NULL,
	invoiced_in char(3) NOT NULL
);

INSERT INTO customers (id, name, email, country)
SELECT n,
	(ARRAY['Ada', 'Bela', 'Cem', 'Dora', 'Emil', 'Fritz', 'Gita', 'Hana', 'Ivo', 'Jun'])[1 + n % 10]
		|| ' ' || (ARRAY['Novak', 'Silva', 'Okoye', 'Meyer', 'Rossi', 'Tanaka', 'Yilmaz'])[1 + n % 7],
	'customer' || n || '@shop.example',
	(ARRAY['DE', 'US', 'GB', 'JP'])[1 + n % 4]
FROM generate_series(1, 3000) AS n;

INSERT INTO orders (id, customer, placed_on, amount, currency, invoiced_in)
SELECT n, 1 + (n * 7919) % 3000, date '2026-03-01' + n % 91, (n * 37 % 50000) / 100.0 + 5, currency, currency
FROM generate_series(1, 9000) AS n,
	LATERAL (SELECT (ARRAY['EUR', 'USD', 'GBP', 'JPY'])[1 + (1 + (n * 7919) % 3000) % 4] AS currency) AS c;

-- What PAY-1423 is about: on 12 May an import wrote USD, whatever the invoice said.
UPDATE orders SET currency = 'USD' WHERE placed_on = '2026-05-12';

ANALYZE;
