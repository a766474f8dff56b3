-- What the oracle's statements run on. Each text starts with a mark of table and column,
-- so that a result shows where its values came from.
CREATE ROLE task;
CREATE SCHEMA app;
CREATE SCHEMA other;
SET check_function_bodies = off;

CREATE TABLE customers (id int PRIMARY KEY, name text, email text, region text, parent int REFERENCES customers ON DELETE SET NULL);
CREATE TABLE products (sku text PRIMARY KEY, title text, price int);
CREATE TABLE orders (id int PRIMARY KEY, customer_id int REFERENCES customers ON DELETE CASCADE ON UPDATE CASCADE, status text, amount int, note text);
CREATE TABLE items (order_id int REFERENCES orders ON DELETE CASCADE ON UPDATE SET NULL, line int, sku text REFERENCES products ON UPDATE CASCADE ON DELETE SET DEFAULT, qty int);
CREATE TABLE audit (id serial PRIMARY KEY, what text, who text);
CREATE TABLE counters (name text PRIMARY KEY, n int);
CREATE TABLE log (id bigserial, line text);
CREATE TABLE limits (id int, top int);
CREATE TABLE defaults (id int, tag text);
CREATE TABLE members (id int, name text);
CREATE TABLE rates (id int, rate int);
CREATE TABLE bare (id int, v text);
CREATE TABLE "Odd Name" (id int, "Odd Column" text);
CREATE TABLE app.things (id int, v text);
CREATE TABLE other.things (id int, v text);
CREATE TABLE other.bare (id int, v text);

CREATE TABLE events (at int, kind text, body text) PARTITION BY RANGE (at);
CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20) PARTITION BY LIST (kind);
CREATE TABLE events_2_a PARTITION OF events_2 FOR VALUES IN ('m:public.events.kind:1', 'a');
CREATE TABLE events_2_b PARTITION OF events_2 DEFAULT;
CREATE TABLE events_rest PARTITION OF events DEFAULT;

CREATE TABLE animals (name text, legs int);
CREATE TABLE dogs (bark text) INHERITS (animals);
CREATE TABLE puppies (age int) INHERITS (dogs);

-- Functions in SQL.
CREATE FUNCTION app.total(customer int) RETURNS bigint STABLE LANGUAGE sql AS 'SELECT sum(amount) FROM public.orders WHERE customer_id = customer';
CREATE FUNCTION app.total_atomic(customer int) RETURNS bigint STABLE LANGUAGE sql BEGIN ATOMIC SELECT sum(amount) FROM public.orders WHERE customer_id = customer; END;
CREATE FUNCTION app.title(code text) RETURNS text STABLE LANGUAGE sql RETURN (SELECT title FROM public.products WHERE sku = code);
CREATE FUNCTION app.all_orders() RETURNS SETOF orders STABLE LANGUAGE sql AS 'SELECT * FROM orders';
CREATE FUNCTION app.mails(OUT id int, OUT mail text) RETURNS SETOF record STABLE LANGUAGE sql AS 'SELECT id, email FROM public.customers';
CREATE FUNCTION app.add_log(line text) RETURNS bigint LANGUAGE sql AS 'INSERT INTO public.log (line) VALUES ($1) RETURNING id';
CREATE FUNCTION app.f(int) RETURNS int LANGUAGE sql AS 'SELECT n FROM public.counters LIMIT 1';
CREATE FUNCTION app.f(text) RETURNS int LANGUAGE sql AS 'SELECT top FROM public.limits LIMIT 1';
CREATE FUNCTION app.pathless() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM things';
CREATE FUNCTION app.pathful() RETURNS bigint LANGUAGE sql SET search_path = other, public AS 'SELECT count(*) FROM things';
CREATE FUNCTION app.both() RETURNS bigint LANGUAGE sql AS 'SELECT app.pathless() + app.pathful()';
CREATE FUNCTION app.pure(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT $1 + 1';
CREATE FUNCTION app.row_of(c customers) RETURNS text STABLE LANGUAGE sql AS 'SELECT c.name || (SELECT max(name) FROM public.counters)';
CREATE FUNCTION app.with_default(a int DEFAULT 1, b int DEFAULT 2) RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM public.members WHERE id > a + b';
CREATE FUNCTION app.sum_of(VARIADIC a int[]) RETURNS bigint STABLE LANGUAGE sql AS 'SELECT count(*) FROM public.rates WHERE id = ANY (a)';
CREATE FUNCTION app.draws() RETURNS bigint LANGUAGE sql AS 'SELECT nextval(''public.audit_id_seq'')';
-- And in PL/pgSQL.
CREATE FUNCTION app.bump(key text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE result int;
BEGIN
  UPDATE public.counters SET n = n + 1 WHERE name = key RETURNING n INTO result;
  IF NOT FOUND THEN INSERT INTO public.counters VALUES (key, 1) RETURNING n INTO result; END IF;
  RETURN result;
END $$;
CREATE FUNCTION app.loops(up int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE r record; o public.orders%ROWTYPE; total int := (SELECT count(*) FROM public.limits); a int[] := '{1,2}'; c CURSOR (k int) FOR SELECT * FROM public.items WHERE line = k;
BEGIN
  FOR r IN SELECT * FROM public.products LOOP total := total + r.price; END LOOP;
  FOR i IN 1..up LOOP a[i] := (SELECT coalesce(max(id), 0) FROM public.members); END LOOP;
  SELECT * INTO o FROM public.orders LIMIT 1;
  OPEN c(1); FETCH c INTO r; CLOSE c;
  WHILE total > 1000000 LOOP DELETE FROM public.bare; END LOOP;
  PERFORM app.add_log('loop');
  RETURN total + o.amount;
EXCEPTION WHEN division_by_zero THEN
  INSERT INTO public.audit (what) VALUES (SQLERRM);
  RETURN 0;
END $$;
CREATE FUNCTION app.rows_of(lowest int) RETURNS TABLE (order_id int, remark text) STABLE LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY SELECT id, note FROM public.orders WHERE amount >= lowest;
  FOR order_id, remark IN SELECT id, name FROM public.customers LOOP RETURN NEXT; END LOOP;
END $$;
CREATE FUNCTION app.dynamic(name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN EXECUTE 'SELECT count(*) FROM ' || quote_ident(name) INTO n; RETURN n; END $$;
CREATE FUNCTION app.definer() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN RETURN (SELECT count(*) FROM secrets); END $$;
CREATE FUNCTION app.calls_dynamic() RETURNS bigint LANGUAGE sql AS 'SELECT app.dynamic(''orders'')';
CREATE FUNCTION app.makes_table() RETURNS int LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE IF NOT EXISTS made (a int); INSERT INTO made VALUES (1); RETURN 1; END $$;
CREATE PROCEDURE app.proc(a int) LANGUAGE plpgsql AS $$ BEGIN DELETE FROM public.log WHERE id = a; UPDATE public.limits SET top = a; END $$;
CREATE PROCEDURE app.proc_sql(a int) LANGUAGE sql AS 'INSERT INTO public.members VALUES (a, ''x'')';

CREATE FUNCTION app.state(int, int) RETURNS int LANGUAGE sql AS 'SELECT $1 + coalesce($2, 0) + (SELECT count(*)::int FROM public.rates)';
CREATE AGGREGATE app.summed(int) (SFUNC = app.state, STYPE = int, INITCOND = '0');
CREATE FUNCTION app.alike(text, text) RETURNS bool LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM public.members WHERE name = $1)';
CREATE OPERATOR app.~=~ (LEFTARG = text, RIGHTARG = text, FUNCTION = app.alike);
CREATE TYPE app.grade AS ENUM ('low', 'high');
CREATE TABLE grades (id int, grade app.grade);
CREATE TABLE cast_rates (id int, points int);
CREATE FUNCTION app.points(app.grade) RETURNS int LANGUAGE sql AS 'SELECT max(points) FROM public.cast_rates';
CREATE CAST (app.grade AS int) WITH FUNCTION app.points(app.grade) AS ASSIGNMENT;

-- What a table's definition makes run.
CREATE FUNCTION app.valid_body(text) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN NOT EXISTS (SELECT FROM public.limits WHERE top < 0); END $$;
CREATE FUNCTION app.default_tag() RETURNS text LANGUAGE sql AS 'SELECT max(tag) FROM public.defaults';
CREATE FUNCTION app.norm(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT lower($1)';
CREATE TABLE docs (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text CHECK (app.valid_body(body)), tag text DEFAULT app.default_tag(),
  normal text GENERATED ALWAYS AS (app.norm(body)) STORED);
CREATE INDEX ON docs (app.norm(body));
CREATE DOMAIN app.small AS int CHECK (VALUE < 1000000);
CREATE TABLE smalls (id app.small, v text);
CREATE TABLE secrets (id int, owner text, value text);
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON secrets USING (owner IN (SELECT name FROM members) OR id > 0) WITH CHECK (true);

-- Triggers.
CREATE FUNCTION app.audit_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN INSERT INTO public.audit (what, who) VALUES (TG_OP, OLD.note); RETURN OLD; END IF;
  INSERT INTO public.audit (what, who) VALUES (TG_OP, NEW.note);
  RETURN NEW;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION app.audit_row();
CREATE FUNCTION app.count_statement() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE public.counters SET n = n + 1; RETURN NULL; END $$;
CREATE TRIGGER counted AFTER INSERT ON events FOR EACH STATEMENT EXECUTE FUNCTION app.count_statement();
CREATE TRIGGER counted_row BEFORE UPDATE ON dogs FOR EACH ROW WHEN (NEW.legs > 0) EXECUTE FUNCTION app.count_statement();
CREATE TABLE dynamic_table (id int, v text);
CREATE FUNCTION app.dynamic_trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'INSERT INTO public.log (line) VALUES (1)'; RETURN NEW; END $$;
CREATE TRIGGER dynamic BEFORE INSERT OR UPDATE ON dynamic_table FOR EACH ROW EXECUTE FUNCTION app.dynamic_trigger();
CREATE TABLE part_trigger (id int, v text) PARTITION BY LIST (id);
CREATE TABLE part_trigger_1 PARTITION OF part_trigger FOR VALUES IN (1);
CREATE TABLE part_trigger_2 PARTITION OF part_trigger DEFAULT;
CREATE FUNCTION app.logged() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM app.add_log(TG_TABLE_NAME); RETURN COALESCE(NEW, OLD); END $$;
CREATE TRIGGER logged AFTER INSERT OR UPDATE OR DELETE ON part_trigger FOR EACH ROW EXECUTE FUNCTION app.logged();
CREATE CONSTRAINT TRIGGER later AFTER DELETE ON bare DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.logged();

-- Views.
CREATE VIEW v_customers AS SELECT id, upper(name) AS name, email AS mail FROM customers WHERE region <> 'x';
CREATE VIEW v_orders AS SELECT o.id, o.note, c.email, p.title FROM orders o JOIN customers c ON c.id = o.customer_id LEFT JOIN items i ON i.order_id = o.id LEFT JOIN products p USING (sku);
CREATE VIEW v_views AS SELECT v.mail AS contact, o.note FROM v_customers v JOIN v_orders o ON o.id = v.id;
CREATE VIEW v_update AS SELECT id, email, region FROM customers WHERE id > 0 WITH CHECK OPTION;
CREATE VIEW v_update_2 AS SELECT id, email AS e FROM v_update WHERE id IN (SELECT id FROM members) OR id > 0;
CREATE VIEW v_union AS SELECT id, name AS v FROM customers UNION ALL SELECT price, title FROM products;
CREATE VIEW v_function AS SELECT id, app.total(id) AS total FROM customers;
CREATE VIEW v_star AS SELECT * FROM bare;
CREATE VIEW v_cte AS WITH t AS (SELECT id, note FROM orders) SELECT t.id, t.note, (SELECT max(email) FROM customers) AS most FROM t;
CREATE VIEW v_barrier WITH (security_barrier) AS SELECT id, value FROM secrets;
CREATE VIEW v_events AS SELECT at, body FROM events WHERE kind <> 'none';
CREATE VIEW v_trigger AS SELECT id, v FROM bare;
CREATE FUNCTION app.instead() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.members VALUES (1, TG_OP); RETURN COALESCE(NEW, OLD); END $$;
CREATE TRIGGER instead INSTEAD OF INSERT OR UPDATE OR DELETE ON v_trigger FOR EACH ROW EXECUTE FUNCTION app.instead();
CREATE VIEW v_rules AS SELECT id, v FROM bare;
CREATE RULE v_insert AS ON INSERT TO v_rules DO INSTEAD INSERT INTO rates VALUES (NEW.id, 1);
CREATE RULE v_update AS ON UPDATE TO v_rules DO INSTEAD UPDATE rates SET rate = NEW.id WHERE id = OLD.id;
CREATE RULE v_delete AS ON DELETE TO v_rules DO INSTEAD (DELETE FROM rates WHERE id = OLD.id; DELETE FROM log);
CREATE TABLE ruled (id int, v text);
CREATE RULE also AS ON INSERT TO ruled DO ALSO INSERT INTO log (line) VALUES (NEW.v);
CREATE RULE nothing AS ON DELETE TO ruled WHERE OLD.id > 1000 DO INSTEAD NOTHING;
CREATE RULE other AS ON UPDATE TO ruled WHERE EXISTS (SELECT FROM limits) DO INSTEAD INSERT INTO audit (what) SELECT name FROM members;
CREATE MATERIALIZED VIEW totals AS SELECT region, count(*) AS n FROM customers GROUP BY region;
CREATE SEQUENCE numbers;

INSERT INTO customers SELECT i, 'm:public.customers.name:' || i, 'm:public.customers.email:' || i, 'm:public.customers.region:' || i % 3, NULL FROM generate_series(1, 6) i;
INSERT INTO products SELECT 'm:public.products.sku:' || i, 'm:public.products.title:' || i, i FROM generate_series(1, 4) i;
INSERT INTO orders SELECT i, 1 + i % 5, 'm:public.orders.status:' || i % 2, i * 10, 'm:public.orders.note:' || i FROM generate_series(1, 6) i;
INSERT INTO items SELECT i, i, 'm:public.products.sku:' || 1 + i % 3, i FROM generate_series(1, 6) i;
INSERT INTO counters VALUES ('m:public.counters.name:1', 1), ('m:public.counters.name:2', 2);
INSERT INTO limits VALUES (1, 10), (2, 20);
INSERT INTO defaults VALUES (1, 'm:public.defaults.tag:1');
INSERT INTO members VALUES (1, 'm:public.members.name:1'), (2, 'm:public.members.name:2');
INSERT INTO rates VALUES (1, 5), (2, 6);
INSERT INTO cast_rates VALUES (1, 7);
INSERT INTO grades VALUES (1, 'low'), (2, 'high');
INSERT INTO bare VALUES (1, 'm:public.bare.v:1'), (2, 'm:public.bare.v:2');
INSERT INTO "Odd Name" VALUES (1, 'm:public.Odd Name.Odd Column:1');
INSERT INTO app.things VALUES (1, 'm:app.things.v:1');
INSERT INTO other.things VALUES (2, 'm:other.things.v:1');
INSERT INTO events VALUES (1, 'm:public.events.kind:1', 'm:public.events.body:1'), (11, 'm:public.events.kind:1', 'm:public.events.body:2'), (12, 'm:public.events.kind:2', 'm:public.events.body:3'), (99, 'm:public.events.kind:1', 'm:public.events.body:4');
INSERT INTO animals VALUES ('m:public.animals.name:1', 4);
INSERT INTO dogs VALUES ('m:public.animals.name:2', 4, 'm:public.dogs.bark:1');
INSERT INTO puppies VALUES ('m:public.animals.name:3', 4, 'm:public.dogs.bark:2', 1);
INSERT INTO docs (body, tag) VALUES ('m:public.docs.body:1', 'm:public.docs.tag:1'), ('m:public.docs.body:2', NULL);
INSERT INTO smalls VALUES (1, 'm:public.smalls.v:1');
INSERT INTO secrets VALUES (1, 'm:public.secrets.owner:1', 'm:public.secrets.value:1');
INSERT INTO dynamic_table VALUES (1, 'x');
INSERT INTO part_trigger VALUES (1, 'm:public.part_trigger.v:1'), (2, 'm:public.part_trigger.v:2');
INSERT INTO ruled VALUES (1, 'm:public.ruled.v:1');
-- What triggers and rules have written bears the marks of others.
TRUNCATE log, audit;
INSERT INTO log (line) VALUES ('m:public.log.line:1');
INSERT INTO audit (what, who) VALUES ('m:public.audit.what:1', 'm:public.audit.who:1');
REFRESH MATERIALIZED VIEW totals;
ANALYZE;

GRANT USAGE ON SCHEMA public, app, other TO task;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, app, other TO task;
GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA public, app, other TO task;

-- Less common ways to make something run.
CREATE TABLE hidden (id int, v text);
INSERT INTO hidden VALUES (1, 'm:public.hidden.v:1');
CREATE FUNCTION app.peek() RETURNS int LANGUAGE sql AS 'SELECT count(*)::int FROM public.hidden';
CREATE FUNCTION app.default_call(a int DEFAULT app.peek()) RETURNS int LANGUAGE sql AS 'SELECT $1';
CREATE TABLE dominion (id int);
CREATE FUNCTION app.peek_at_dominion() RETURNS int LANGUAGE sql AS 'SELECT count(*)::int FROM public.dominion';
CREATE DOMAIN app.peeked AS int DEFAULT app.peek_at_dominion();
CREATE TABLE peeks (id app.peeked, v text);
CREATE TABLE grade_names (grade text);
CREATE FUNCTION app.grade_is(app.grade, text) RETURNS bool LANGUAGE sql AS 'SELECT count(*) > 0 FROM public.grade_names';
CREATE OPERATOR app.= (LEFTARG = app.grade, RIGHTARG = text, FUNCTION = app.grade_is);
CREATE FUNCTION app.peek_if(int) RETURNS bool LANGUAGE sql AS 'SELECT app.peek() >= 0';
CREATE TABLE conditional (id int, v text);
CREATE FUNCTION app.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER conditional BEFORE UPDATE ON conditional FOR EACH ROW WHEN (app.peek_if(OLD.id)) EXECUTE FUNCTION app.nothing();
INSERT INTO conditional VALUES (1, 'm:public.conditional.v:1');
CREATE VIEW v_default AS SELECT id, v FROM conditional;
ALTER VIEW v_default ALTER id SET DEFAULT app.peek();
CREATE TABLE keyed (id int PRIMARY KEY, of int REFERENCES keyed ON DELETE CASCADE);
INSERT INTO keyed VALUES (1, 1), (2, 1), (3, 2);
CREATE TABLE part_keyed (id int, k int REFERENCES keyed ON DELETE CASCADE) PARTITION BY LIST (id);
CREATE TABLE part_keyed_1 PARTITION OF part_keyed FOR VALUES IN (1);
INSERT INTO part_keyed VALUES (1, 2);
CREATE TABLE part_pk (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE part_pk_1 PARTITION OF part_pk FOR VALUES FROM (0) TO (10);
CREATE TABLE part_pk_2 PARTITION OF part_pk FOR VALUES FROM (10) TO (20);
CREATE TABLE refers (id int REFERENCES part_pk ON UPDATE CASCADE);
INSERT INTO part_pk VALUES (1), (11);
INSERT INTO refers VALUES (1);
CREATE FUNCTION app.part_of(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT $1 + 0 * count(*)::int FROM public.hidden); END $$;
CREATE TABLE by_function (id int, v text) PARTITION BY RANGE (app.part_of(id));
CREATE TABLE by_function_1 PARTITION OF by_function FOR VALUES FROM (0) TO (100);
CREATE TABLE policed (id int, v text);
ALTER TABLE policed ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON policed USING (app.peek() > 0);
INSERT INTO policed VALUES (1, 'm:public.policed.v:1');
CREATE VIEW v_deep AS SELECT p.id, h.mail FROM policed p, LATERAL (SELECT * FROM v_customers WHERE v_customers.id = p.id) h;
CREATE VIEW v_recursive AS WITH RECURSIVE t(n, v) AS (SELECT id, v FROM bare UNION ALL SELECT n + 1, t.v || title FROM t, products WHERE n < 3) SELECT * FROM t;
CREATE VIEW v_aggregate AS SELECT region, string_agg(email, ',') AS mails FROM customers GROUP BY region;
CREATE VIEW v_whole AS SELECT c AS customer, to_jsonb(o) AS an_order FROM customers c, orders o;
CREATE MATERIALIZED VIEW m_mails AS SELECT id, email AS mail FROM customers;
CREATE FUNCTION app.chain(n int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN IF n <= 0 THEN RETURN app.peek(); END IF; RETURN app.chain(n - 1); END $$;
CREATE FUNCTION app.table_arg(p policed) RETURNS text LANGUAGE sql AS 'SELECT p.v';
CREATE FUNCTION app.cursor_over() RETURNS refcursor LANGUAGE plpgsql AS $$ DECLARE c refcursor := 'open_cursor'; BEGIN OPEN c FOR SELECT email FROM public.customers; RETURN c; END $$;
CREATE FUNCTION app.nested_path() RETURNS text LANGUAGE sql SET search_path = other AS 'SELECT max(v) FROM bare';
CREATE FUNCTION app.returns_customers() RETURNS SETOF customers LANGUAGE plpgsql AS $$ DECLARE c customers; BEGIN FOR c IN SELECT * FROM customers LOOP RETURN NEXT c; END LOOP; END $$;
CREATE FUNCTION app.as_json() RETURNS json LANGUAGE sql AS 'SELECT json_agg(c) FROM v_customers c';
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public, app, other TO task;
CREATE VIEW v_xml AS SELECT query_to_xml('SELECT * FROM secrets', true, true, '') AS x;
CREATE VIEW v_operator AS SELECT id FROM customers WHERE name OPERATOR(app.~=~) 'x';
CREATE FUNCTION app.xml() RETURNS xml LANGUAGE plpgsql AS $$ BEGIN RETURN table_to_xml('secrets', true, true, ''); END $$;
CREATE FUNCTION app.notifies() RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_notify('c', (SELECT max(email) FROM public.customers)); RETURN 1; END $$;
CREATE FUNCTION app.moves_path() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('search_path', 'other', true); RETURN (SELECT count(*) FROM bare); END $$;
CREATE FUNCTION app.sets_path() RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN SET LOCAL search_path = other; RETURN (SELECT count(*) FROM bare); END $$;
CREATE FUNCTION app.scans(n name) RETURNS int LANGUAGE sql AS 'SELECT nextval($1::text::regclass)::int';
GRANT SELECT ON v_xml, v_operator TO task;
-- What the role itself owns.
CREATE TABLE own_table (id int PRIMARY KEY, v text);
CREATE TABLE own_child (id int REFERENCES own_table ON DELETE CASCADE);
CREATE TABLE own_parts (id int, v text) PARTITION BY LIST (id);
CREATE TABLE own_parts_1 PARTITION OF own_parts FOR VALUES IN (1);
CREATE MATERIALIZED VIEW own_mails AS SELECT mail FROM v_customers;
CREATE SEQUENCE own_sequence;
ALTER TABLE own_table OWNER TO task; ALTER TABLE own_child OWNER TO task; ALTER TABLE own_parts OWNER TO task; ALTER TABLE own_parts_1 OWNER TO task;
ALTER MATERIALIZED VIEW own_mails OWNER TO task; ALTER SEQUENCE own_sequence OWNER TO task;
GRANT CREATE ON SCHEMA public TO task; GRANT REFERENCES ON ALL TABLES IN SCHEMA public TO task;
-- What only newer servers have.
DO $$ BEGIN
IF current_setting('server_version_num')::int >= 180000 THEN
  EXECUTE 'CREATE TABLE virtuals (id int, v text, w text GENERATED ALWAYS AS (upper(v)) VIRTUAL)';
  EXECUTE 'INSERT INTO virtuals VALUES (1, ''m:public.virtuals.v:1'')';
  EXECUTE 'GRANT ALL ON virtuals TO task';
END IF; END $$;
