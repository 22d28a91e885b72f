// The product page: what Shop.product() returned, as HTML.

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
.price{font-size:1.5rem;font-weight:600}.stars{color:#b45309}ul{padding-left:1.2rem}footer{margin-top:3rem;color:#666}`;
const MONEY = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });
const DATE = new Intl.DateTimeFormat("en-IE", { dateStyle: "medium", timeZone: "UTC" });

/** The page of one product. */
export function renderProduct(product) {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escapeHtml(product.name)}</title><style>${STYLE}</style></head>
<body>
<nav>${escapeHtml(product.category)} / ${escapeHtml(product.brand)}</nav>
<h1>${escapeHtml(product.name)}</h1>
<p class="price">${formatPrice(product.price_cents)}</p>
<p>${escapeHtml(product.description)}</p>
<h2>In stock</h2>
<ul>${product.stock.map(renderStock).join("")}</ul>
<h2>Reviews</h2>
<p>${renderRating(product.stars)}</p>
<ul>${product.reviews.map(renderReview).join("")}</ul>
<h2>Bought together</h2>
<ul>${product.related.map(renderRelated).join("")}</ul>
<h2>Bestsellers in ${escapeHtml(product.category)}</h2>
<ol>${product.bestsellers.map(renderLink).join("")}</ol>
<footer>Prices include VAT.</footer>
</body>
</html>
`;
}

function renderStock({ warehouse, units }) {
  return `<li>${escapeHtml(warehouse)}: ${units === 0 ? "sold out" : `${units} units`}</li>`;
}

function renderRating(stars) {
  const reviews = stars.reduce((sum, row) => sum + row.reviews, 0);
  if (reviews === 0) {
    return "No reviews yet.";
  }
  const average = stars.reduce((sum, row) => sum + row.stars * row.reviews, 0) / reviews;
  const bars = stars.map((row) => `${row.stars} stars: ${row.reviews}`).join(", ");
  return `<span class="stars">${average.toFixed(1)} of 5</span> from ${reviews} ${reviews === 1 ? "review" : "reviews"} (${bars})`;
}

function renderReview({ stars, author, body, written_at }) {
  const date = DATE.format(new Date(written_at * 1000));
  return `<li><span class="stars">${"★".repeat(stars)}</span> ${escapeHtml(body)} <small>${escapeHtml(author)}, ${date}</small></li>`;
}

function renderRelated(product) {
  const rating = product.stars === null ? "" : ` <span class="stars">${product.stars.toFixed(1)}</span>`;
  return renderLink(product).replace("</li>", `${rating}</li>`);
}

function renderLink({ id, name }) {
  return `<li><a href="/product/${id}">${escapeHtml(name)}</a></li>`;
}

/** A price as the page shows it. */
export function formatPrice(cents) {
  return MONEY.format(cents / 100);
}

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escapeHtml(text) {
  return /[&<>"']/.test(text) ? text.replace(/[&<>"']/g, (char) => ENTITIES[char]) : text;
}
