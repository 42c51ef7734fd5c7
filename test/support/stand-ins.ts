import { SeededRandom } from '#services/demo/random.ts';
import type { Sale } from './shared-data.ts';

const SEED = 20_261_121;

/** Sales as King County's list has them: repeat sales, lost leading zeros, "?" and blanks where a number should be. */
export function generatedSales(count = 3000): Sale[] {
  const random = new SeededRandom(SEED);
  const ids: string[] = [];
  return Array.from({ length: count }, (_, index) => {
    const repeat = index > 100 && random.chance(0.02);
    const id = repeat ? ids[random.whole(0, ids.length - 1)]! : String(random.whole(1_000_102, 9_900_000_190));
    ids.push(id);
    const living = random.whole(400, 9000);
    const basement = random.chance(0.3) ? random.whole(50, 1000) : 0;
    return {
      id,
      date: `${random.whole(1, 12)}/${random.whole(1, 28)}/${random.pick(['2014', '2015'])}`,
      price: String(random.whole(78, 7700) * 1000 + random.pick([0, 0, 0, 500, 950])),
      bedrooms: String(random.whole(1, 11)),
      bathrooms: String(random.whole(2, 32) / 4),
      sqft_living: String(living),
      sqft_lot: String(random.whole(520, 1_650_000)),
      floors: random.pick(['1', '1.5', '2', '2.5', '3']),
      waterfront: random.pick(['NO', 'NO', 'YES', '']),
      view: random.pick(['NONE', 'AVERAGE', 'GOOD', 'EXCELLENT', '']),
      condition: random.pick(['Poor', 'Fair', 'Average', 'Good', 'Very Good']),
      grade: random.pick(['6 Low Average', '7 Average', '8 Good', '9 Better', '11 Excellent']),
      sqft_above: String(living),
      sqft_basement: random.chance(0.02) ? '?' : String(basement),
      yr_built: String(random.whole(1900, 2015)),
      yr_renovated: random.chance(0.2) ? '' : String(random.pick([0, 0, 1991, 2005])),
      zipcode: String(random.whole(98_001, 98_199)),
      lat: (47 + random.whole(1559, 7776) / 10_000).toFixed(4),
      long: (-122 - random.whole(0, 519) / 1000).toFixed(3),
      sqft_living15: String(random.whole(399, 6210)),
      sqft_lot15: String(random.whole(651, 871_200)),
    };
  });
}

const quote = (text: string): string => `'${text.replaceAll("'", "''")}'`;
const words = [
  'Côte de Blaye',
  "Chef Anton's Gumbo",
  'Gnocchi',
  'Ipoh Coffee',
  'Rød Kaviar',
  '東京',
  'Ñandú',
  'Łódź',
] as const;

/** A small trading company: composite keys, real, smallint, bytea, dates, NULLs, a table that refers to itself. */
export function generatedErp(): string {
  const random = new SeededRandom(SEED, 1);
  const text = (): string => (random.chance(0.1) ? 'NULL' : quote(random.pick(words)));
  const real = (): string => (random.whole(0, 100_000) / random.pick([1, 3, 7, 100])).toPrecision(7);
  const list = (count: number, row: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => row(index + 1)).join('\n');
  return `
CREATE TABLE employees (employee_id smallint NOT NULL, name varchar(40), reports_to smallint, hired date, photo bytea);
CREATE TABLE products (product_id smallint NOT NULL, name varchar(40), unit_price real, picture bytea, discontinued integer NOT NULL);
CREATE TABLE orders (order_id smallint NOT NULL, employee_id smallint, order_date date, freight real, ship_name varchar(40));
CREATE TABLE order_details (order_id smallint NOT NULL, product_id smallint NOT NULL, unit_price real NOT NULL, quantity smallint NOT NULL);
CREATE TABLE empty_demo (id varchar(5) NOT NULL, description text);
${list(30, (id) => `INSERT INTO employees VALUES (${id}, ${text()}, ${id > 1 ? random.whole(1, id - 1) : 'NULL'}, '19${random.whole(60, 99)}-0${random.whole(1, 9)}-15', '\\x${random.whole(0, 0xffff).toString(16).padStart(4, '0')}');`)}
${list(80, (id) => `INSERT INTO products VALUES (${id}, ${text()}, ${real()}, '\\x', ${random.whole(0, 1)});`)}
${list(900, (id) => `INSERT INTO orders VALUES (${id}, ${random.whole(1, 30)}, '1996-07-${String(random.whole(1, 31)).padStart(2, '0')}', ${real()}, ${text()});`)}
${list(900, (id) => `INSERT INTO order_details VALUES (${id}, ${random.whole(1, 40)}, ${real()}, ${random.whole(1, 99)}), (${id}, ${random.whole(41, 80)}, ${real()}, 1);`)}
ALTER TABLE employees ADD CONSTRAINT pk_employees PRIMARY KEY (employee_id);
ALTER TABLE products ADD CONSTRAINT pk_products PRIMARY KEY (product_id);
ALTER TABLE orders ADD CONSTRAINT pk_orders PRIMARY KEY (order_id);
ALTER TABLE order_details ADD CONSTRAINT pk_order_details PRIMARY KEY (order_id, product_id);
ALTER TABLE empty_demo ADD CONSTRAINT pk_empty_demo PRIMARY KEY (id);
ALTER TABLE employees ADD CONSTRAINT fk_reports_to FOREIGN KEY (reports_to) REFERENCES employees;
ALTER TABLE orders ADD CONSTRAINT fk_employee FOREIGN KEY (employee_id) REFERENCES employees;
ALTER TABLE order_details ADD CONSTRAINT fk_order FOREIGN KEY (order_id) REFERENCES orders;
`;
}

/** A small shop: customers and their invoices, timestamps and money, many rows a statement. */
export function generatedInvoices(): string {
  const random = new SeededRandom(SEED, 2);
  const list = (count: number, row: (index: number) => string): string =>
    Array.from({ length: count }, (_, index) => row(index + 1)).join(',\n');
  const money = (): string => (random.whole(0, 99_999) / 100).toFixed(2);
  return `
CREATE TABLE customer (customer_id INT NOT NULL, first_name VARCHAR(40) NOT NULL, company VARCHAR(80), CONSTRAINT customer_pkey PRIMARY KEY (customer_id));
CREATE TABLE invoice (invoice_id INT NOT NULL, customer_id INT NOT NULL, invoice_date TIMESTAMP NOT NULL, total NUMERIC(10,2) NOT NULL, CONSTRAINT invoice_pkey PRIMARY KEY (invoice_id));
CREATE TABLE invoice_line (invoice_line_id INT NOT NULL, invoice_id INT NOT NULL, unit_price NUMERIC(10,2) NOT NULL, quantity INT NOT NULL, CONSTRAINT invoice_line_pkey PRIMARY KEY (invoice_line_id));
ALTER TABLE invoice ADD CONSTRAINT invoice_customer_fkey FOREIGN KEY (customer_id) REFERENCES customer (customer_id);
ALTER TABLE invoice_line ADD CONSTRAINT invoice_line_invoice_fkey FOREIGN KEY (invoice_id) REFERENCES invoice (invoice_id);
INSERT INTO customer VALUES ${list(60, (id) => `(${id}, ${quote(random.pick(words))}, ${random.chance(0.5) ? 'NULL' : quote(random.pick(words))})`)};
INSERT INTO invoice VALUES ${list(400, (id) => `(${id}, ${random.whole(1, 60)}, '2021-0${random.whole(1, 9)}-1${random.whole(0, 9)} 00:00:00', ${money()})`)};
INSERT INTO invoice_line VALUES ${list(2000, (id) => `(${id}, ${random.whole(1, 400)}, ${money()}, ${random.whole(1, 9)})`)};
`;
}
