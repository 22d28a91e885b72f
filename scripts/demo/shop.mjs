// The shop's database: an SQLite file that the demo fills, and the queries that a product page needs.
import Database from "libsql";
import { integer, pick, seededRandom } from "./random.mjs";

export const PRODUCTS = 12_000;
const CATEGORIES = 60;
const BRANDS = 200;
const REVIEWS_PER_PRODUCT_MAX = 12;
const RELATED_PER_PRODUCT = 8;
const WAREHOUSES = ["Hamburg", "Lyon", "Gdansk"];

const SCHEMA = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE categories (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
  CREATE TABLE brands (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
  CREATE TABLE products (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, description TEXT NOT NULL, sold INTEGER NOT NULL,
    price_cents INTEGER NOT NULL, brand_id INTEGER NOT NULL, category_id INTEGER NOT NULL);
  CREATE TABLE reviews (
    id INTEGER PRIMARY KEY, product_id INTEGER NOT NULL, stars INTEGER NOT NULL,
    author TEXT NOT NULL, body TEXT NOT NULL, written_at INTEGER NOT NULL);
  CREATE TABLE stock (product_id INTEGER NOT NULL, warehouse TEXT NOT NULL, units INTEGER NOT NULL);
  CREATE TABLE bought_together (product_id INTEGER NOT NULL, other_id INTEGER NOT NULL, times INTEGER NOT NULL);
`;
const INDEXES = `
  CREATE INDEX products_by_category ON products (category_id, sold DESC);
  CREATE INDEX reviews_by_product ON reviews (product_id, written_at DESC);
  CREATE INDEX stock_by_product ON stock (product_id);
  CREATE INDEX bought_by_product ON bought_together (product_id, times DESC);
  ANALYZE;
`;
const QUERIES = {
  product: `SELECT p.id, p.name, p.description, p.price_cents, p.category_id, b.name AS brand, c.name AS category
    FROM products p JOIN brands b ON b.id = p.brand_id JOIN categories c ON c.id = p.category_id WHERE p.id = ?`,
  stars: "SELECT stars, COUNT(*) AS reviews FROM reviews WHERE product_id = ? GROUP BY stars ORDER BY stars DESC",
  reviews: "SELECT stars, author, body, written_at FROM reviews WHERE product_id = ? ORDER BY written_at DESC LIMIT 5",
  stock: "SELECT warehouse, units FROM stock WHERE product_id = ? ORDER BY warehouse",
  related: `SELECT p.id, p.name, (SELECT AVG(stars) FROM reviews r WHERE r.product_id = p.id) AS stars
    FROM bought_together t JOIN products p ON p.id = t.other_id WHERE t.product_id = ? ORDER BY t.times DESC LIMIT 6`,
  bestsellers: "SELECT id, name FROM products WHERE category_id = ? ORDER BY sold DESC LIMIT 5",
};
/** How many queries one page takes. */
export const QUERIES_PER_PAGE = Object.keys(QUERIES).length;

const ADJECTIVES = ["Oak", "Steel", "Linen", "Compact", "Folding", "Quiet", "Nordic", "Heavy", "Light", "Copper"];
const THINGS = ["Kettle", "Lamp", "Chair", "Backpack", "Drill", "Teapot", "Blanket", "Radio", "Tent", "Notebook"];
const WORDS =
  "sturdy and light with a long handle made for every day it fits the hand well arrived quickly would buy again the colour is warmer than in the picture works as described after a year of use";

/** Creates the file and fills it; returns how many rows it holds. */
export function fillShop(file) {
  const database = new Database(file);
  database.exec(SCHEMA);
  database.exec("BEGIN");
  const rows = new Filler(database).fill();
  database.exec("COMMIT");
  database.exec(INDEXES);
  database.close();
  return rows;
}

/** Reads what a page shows; one per thread. */
export class Shop {
  #database;
  #statements;

  constructor(file) {
    this.#database = new Database(file, { readonly: true });
    this.#statements = Object.fromEntries(
      Object.entries(QUERIES).map(([name, sql]) => [name, this.#database.prepare(sql)]),
    );
  }

  /** Everything the page of product `id` shows, or undefined when there is no such product. */
  product(id) {
    const { product, stars, reviews, stock, related, bestsellers } = this.#statements;
    const found = product.get(id);
    return (
      found && {
        ...found,
        stars: stars.all(id),
        reviews: reviews.all(id),
        stock: stock.all(id),
        related: related.all(id),
        bestsellers: bestsellers.all(found.category_id),
      }
    );
  }

  close() {
    this.#database.close();
  }
}

/** Changes prices while the shop is open; one writer, in the main thread. */
export class PriceList {
  #database;
  #update;

  constructor(file) {
    this.#database = new Database(file);
    this.#update = this.#database.prepare("UPDATE products SET price_cents = ? WHERE id = ?");
  }

  set(id, priceCents) {
    this.#update.run(priceCents, id);
  }

  close() {
    this.#database.close();
  }
}

class Filler {
  #database;
  #random = seededRandom(2026);
  #words = WORDS.split(" ");
  #inserts = new Map();
  #rows = 0;

  constructor(database) {
    this.#database = database;
  }

  fill() {
    for (let id = 1; id <= CATEGORIES; id += 1) {
      this.#insert("categories", id, `${THINGS[id % THINGS.length]}s, no. ${id}`);
    }
    for (let id = 1; id <= BRANDS; id += 1) {
      this.#insert("brands", id, `${ADJECTIVES[id % ADJECTIVES.length]} & ${THINGS[id % 7]} ${id}`);
    }
    for (let id = 1; id <= PRODUCTS; id += 1) {
      this.#fillProduct(id);
    }
    return this.#rows;
  }

  #fillProduct(id) {
    const random = this.#random;
    const name = `${pick(random, ADJECTIVES)} ${pick(random, THINGS)} ${id}`;
    const price = 499 + integer(random, 20_000);
    const [brand, category] = [1 + integer(random, BRANDS), 1 + integer(random, CATEGORIES)];
    this.#insert("products", id, name, this.#text(60), integer(random, 50_000), price, brand, category);
    for (const warehouse of WAREHOUSES) {
      this.#insert("stock", id, warehouse, integer(random, 40));
    }
    for (let count = integer(random, REVIEWS_PER_PRODUCT_MAX + 1); count > 0; count -= 1) {
      const writtenAt = 1_700_000_000 + integer(random, 60_000_000);
      this.#insert(
        "reviews",
        null,
        id,
        1 + integer(random, 5),
        `Customer ${integer(random, 9000)}`,
        this.#text(25),
        writtenAt,
      );
    }
    for (let count = 0; count < RELATED_PER_PRODUCT; count += 1) {
      this.#insert("bought_together", id, 1 + integer(random, PRODUCTS), 1 + integer(random, 500));
    }
  }

  #text(words) {
    return Array.from({ length: words }, () => pick(this.#random, this.#words)).join(" ");
  }

  #insert(table, ...values) {
    let insert = this.#inserts.get(table);
    if (!insert) {
      insert = this.#database.prepare(`INSERT INTO ${table} VALUES (${values.map(() => "?").join(", ")})`);
      this.#inserts.set(table, insert);
    }
    insert.run(...values);
    this.#rows += 1;
  }
}
