-- Owned by app, the login of the tasks. What is masked, the test's policy says; its
-- values are canaries, which the test makes.
CREATE DOMAIN secret AS text CHECK (VALUE <> 'forbidden');
CREATE TYPE address AS (street text, zip bigint);
CREATE TABLE city (id int PRIMARY KEY, name text NOT NULL UNIQUE, size int);
INSERT INTO city SELECT i, 'city-' || i, i * 10 FROM generate_series(1, 8) i;

CREATE TABLE person (
	id int PRIMARY KEY, name text NOT NULL, grp int NOT NULL DEFAULT 0, region varchar(20), city int REFERENCES city,
	email varchar(80) CHECK (email <> 'forbidden'), phone text, code char(24), card bigint, balance numeric, pin int, ratio float8,
	token uuid, born date, seen timestamp, profile jsonb, notes json, tags text[], cards bigint[], raw bytea, ip inet, doc xml, word secret,
	home address, span int8range, big text,
	mailhash text GENERATED ALWAYS AS (upper(email)) STORED,
	CONSTRAINT person_region CHECK (region <> 'nowhere'), CONSTRAINT person_pin CHECK (pin > grp));
CREATE UNIQUE INDEX person_email ON person (grp, email);
CREATE INDEX person_lower ON person (lower(phone));
CREATE TABLE person_old (reason text) INHERITS (person);

CREATE TABLE invoice (
	id int NOT NULL, person int, amount int, note text, iban text, memo varchar(60), paid bigint,
	PRIMARY KEY (id), CONSTRAINT invoice_amount CHECK (amount >= 0)) PARTITION BY RANGE (id);
CREATE TABLE invoice_1 PARTITION OF invoice FOR VALUES FROM (0) TO (100);
CREATE TABLE invoice_2 PARTITION OF invoice FOR VALUES FROM (100) TO (200);
CREATE UNIQUE INDEX invoice_iban ON invoice_1 (amount, iban);
CREATE TABLE payment (iban text PRIMARY KEY, amount int);
CREATE TABLE refund (id int, iban text REFERENCES payment, note text);
CREATE TABLE sink (id int, note text, UNIQUE (note));

-- Masked as well, with a trigger that tells everybody.
CREATE TABLE loud (id int PRIMARY KEY, note text, iban text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	RAISE NOTICE 'was %, is %', OLD, NEW; PERFORM pg_notify('news', NEW.iban);
	IF NEW.note = 'fail' THEN RAISE EXCEPTION 'row %', NEW USING DETAIL = NEW.iban, HINT = OLD.iban, ERRCODE = '42601'; END IF;
	RETURN NEW; END $$;
CREATE TRIGGER tell BEFORE UPDATE ON loud FOR EACH ROW EXECUTE FUNCTION tell();

CREATE VIEW person_view AS SELECT p.id, p.name, p.grp, p.email AS mail, lower(p.phone) AS low, length(p.email) AS size, p.card AS number,
	p.profile ->> 'secret' AS inner_secret, c.name AS town FROM person p LEFT JOIN city c ON c.id = p.city;
CREATE VIEW person_short AS SELECT v.id AS number, v.mail || '/' || v.low AS both, v.name AS label FROM person_view v;
CREATE VIEW person_group AS SELECT grp, count(*) AS people, min(email) AS first, max(card) AS top, array_agg(phone) AS phones FROM person GROUP BY grp;
CREATE VIEW person_row WITH (security_barrier) AS SELECT id, p AS whole, row_to_json(p) AS json FROM person p;
CREATE VIEW invoice_all AS SELECT id, iban, note FROM invoice UNION ALL SELECT id, iban, note FROM loud;
CREATE MATERIALIZED VIEW person_kept AS SELECT id, name, email AS kept, card AS kept_card FROM person WITH NO DATA;

CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE FUNCTION shout(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'heard %', t; RETURN upper(t); END $$;
CREATE FUNCTION fail(t text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'failed on %', t; END $$;
CREATE FUNCTION mail_of(n int) RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM public.person WHERE id = n';
CREATE FUNCTION mail_quietly(n int) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN EXECUTE 'SELECT email FROM public.person WHERE id = $1' INTO r USING n; RETURN r; END $$;
CREATE FUNCTION people() RETURNS SETOF person LANGUAGE sql STABLE AS 'SELECT * FROM public.person';
CREATE PROCEDURE work(n int) LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'worked %', n; END $$;
CREATE AGGREGATE joined(text) (SFUNC = textcat, STYPE = text, INITCOND = '');
CREATE FUNCTION same(a text, b text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE '% and %', a, b; RETURN a = b; END $$;
CREATE OPERATOR === (LEFTARG = text, RIGHTARG = text, FUNCTION = same);
CREATE FUNCTION taken(a address) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'took %', a; RETURN a::text; END $$;
