CREATE TABLE IF NOT EXISTS public.customers (
	id int PRIMARY KEY, name text NOT NULL, email text NOT NULL, country char(2) NOT NULL);
CREATE TABLE IF NOT EXISTS public.orders (
	id int PRIMARY KEY, customer int NOT NULL REFERENCES public.customers, placed date NOT NULL,
	currency char(3) NOT NULL, cents int NOT NULL, note text);
INSERT INTO public.customers
	SELECT i, 'Customer ' || i, 'customer' || i || '@example.com', (ARRAY['DE', 'FR', 'US', 'JP'])[1 + i % 4]
	FROM generate_series(1, 2000) i ON CONFLICT DO NOTHING;
INSERT INTO public.orders
	SELECT i, 1 + i % 2000, date '2026-05-01' + i % 30, (ARRAY['EUR', 'USD'])[1 + i % 2], 100 + i * 7 % 90000, NULL
	FROM generate_series(1, 5000) i ON CONFLICT DO NOTHING;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
