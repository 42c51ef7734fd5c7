import { accountsOf, flawOf, geoId, phone, situs, TAX_YEAR, type CountyOptions } from './county.ts';
import type { SeededRandom } from './random.ts';
import { streets, streetSuffixes, towns } from './words.ts';

/** Runs one statement within the clerk's transaction. Texts do not depend on values: each is prepared once. */
export type Statement = (text: string, values: readonly unknown[]) => Promise<Record<string, unknown>[]>;

/** One piece of a clerk's work: the statements of one transaction. */
export type ClerkWork = (random: SeededRandom, county: CountyOptions, statement: Statement) => Promise<void>;

/** Sales that the traffic keeps: the oldest make room, so that a demo left alone over a weekend stays small. */
const SALES_KEPT = 5000;

/** New appraisal: values of the roll, the land line and the building agree with each other in every transaction. */
const revalue: ClerkWork = async (random, county, statement) => {
  const propId = property(random, county);
  const lines = await statement(
    `SELECT land_seg_id FROM pacs.land_detail WHERE prop_id = $1 AND prop_val_yr = $2 AND sup_num = 0 AND sale_id = 0 ORDER BY land_seg_id`,
    [propId, TAX_YEAR],
  );
  const worth = lines.map(() => random.whole(150, 2500) * 100);
  for (const [index, line] of lines.entries()) {
    await statement(
      `UPDATE pacs.land_detail SET mkt_val = $3 WHERE prop_id = $1 AND prop_val_yr = $2 AND sup_num = 0 AND sale_id = 0 AND land_seg_id = $4`,
      [propId, TAX_YEAR, worth[index], line['land_seg_id']],
    );
  }
  const land = worth.reduce((sum, value) => sum + value, 0);
  await statement(
    `UPDATE pacs.property_val
     SET land_hstd_val = $3::numeric, land_non_hstd_val = 0,
         appraised_val = $3::numeric + imprv_hstd_val + imprv_non_hstd_val,
         assessed_val = $3::numeric + imprv_hstd_val + imprv_non_hstd_val - cap_loss, updated_at = now()
     WHERE prop_id = $1 AND prop_val_yr = $2 AND sup_num = 0`,
    [propId, TAX_YEAR, land],
  );
};

/** A deed comes in: the sale, and another account as owner. The owner is part of the key, so the row changes its key. */
const sell: ClerkWork = async (random, county, statement) => {
  const propId = property(random, county);
  const code = random.pick(['V', 'V', 'V', 'Q', 'F']);
  const price = code === 'Q' ? 0 : random.whole(80, 900) * 1000;
  const [sale] = await statement(
    `INSERT INTO pacs.sale (chg_of_owner_id, prop_id, sl_price, sl_dt, sl_ratio_type_cd, deed_dt, excise_nr)
     VALUES (nextval('pacs.sale_number'), $1, $2, current_date, $3, current_date, 'E' || lpad(currval('pacs.sale_number')::text, 9, '0'))
     RETURNING chg_of_owner_id AS number`,
    [propId, price, code],
  );
  await statement(
    `UPDATE pacs.owner SET owner_id = $3
     WHERE prop_id = $1 AND owner_tax_yr = $2 AND sup_num = 0 AND pct_ownership = 100`,
    [propId, TAX_YEAR, account(random, county)],
  );
  const expired = Number(sale!['number']) - SALES_KEPT;
  if (expired > county.parcels) await statement(`DELETE FROM pacs.sale WHERE chg_of_owner_id = $1`, [expired]);
};

/** Somebody has moved: mailing address and telephone. */
const move: ClerkWork = async (random, county, statement) => {
  const acctId = account(random, county);
  const [town, zip] = random.pick(towns);
  await statement(
    `UPDATE pacs.address SET addr_line1 = $2, addr_line2 = NULL, addr_city = $3, addr_zip = $4 WHERE acct_id = $1 AND addr_type_cd = 'M'`,
    [acctId, `${random.whole(1, 9999)} ${random.pick(streets)} ${random.pick(streetSuffixes)}`, town, zip],
  );
  await statement(`UPDATE pacs.account SET phone = $2 WHERE acct_id = $1`, [acctId, phone(random)]);
};

/** A house number is put right. */
const readdress: ClerkWork = async (random, county, statement) => {
  await statement(`UPDATE pacs.situs SET situs_num = $2, situs_street_prefx = $3 WHERE prop_id = $1 AND situs_id = 1`, [
    property(random, county),
    String(random.whole(1, 19_999)),
    random.pick(['', 'N', 'S', 'E', 'W']),
  ]);
};

/** A lot is split off: a new property in six tables. */
const split: ClerkWork = async (random, county, statement) => {
  const [next] = await statement(`SELECT nextval('pacs.property_number') AS number`, []);
  const propId = Number(next!['number']);
  const land = random.whole(200, 1500) * 100;
  const acres = random.whole(10, 90) / 100;
  await statement(`INSERT INTO pacs.property VALUES ($1, $2, 'R', current_date)`, [propId, geoId(propId)]);
  await statement(`INSERT INTO pacs.prop_supp_assoc VALUES ($1, $2, 0)`, [propId, TAX_YEAR]);
  await statement(
    `INSERT INTO pacs.property_val (prop_id, prop_val_yr, sup_num, legal_desc, legal_acreage, hood_cd, property_use_cd, land_hstd_val,
       land_non_hstd_val, imprv_hstd_val, imprv_non_hstd_val, appraised_val, cap_loss, assessed_val)
     VALUES ($1, $2, 0, $3, $4, 'N100', '91', 0, $5, 0, 0, $5, 0, $5)`,
    [propId, TAX_YEAR, `TRACT  ${propId} OF SHORT PLAT`, acres, land],
  );
  await statement(`INSERT INTO pacs.owner VALUES ($1, $2, 0, $3, 100)`, [propId, TAX_YEAR, account(random, county)]);
  await statement(`INSERT INTO pacs.situs VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, situs(random, propId));
  await statement(`INSERT INTO pacs.land_detail VALUES ($1, $2, 0, 0, 1, 'HS', $3, $4, $5)`, [
    propId,
    TAX_YEAR,
    acres,
    Math.round(acres * 43_560),
    land,
  ]);
};

/** A lot that was split off is merged again: the oldest of them goes, from all tables. */
const merge: ClerkWork = async (_random, county, statement) => {
  // Numbers that the office's own sequence never gave out are somebody's who tries things: those stay.
  const [oldest] = await statement(
    `SELECT min(prop_id) AS number FROM pacs.property WHERE prop_id > $1 AND prop_id <= (SELECT last_value FROM pacs.property_number)`,
    [county.parcels],
  );
  const propId = oldest?.['number'] ?? null;
  if (propId === null) return;
  for (const table of ['land_detail', 'situs', 'owner', 'property_val', 'prop_supp_assoc', 'property'])
    await statement(`DELETE FROM pacs.${table} WHERE prop_id = $1`, [propId]);
};

/** A property is taken off the roll, or put back: never deleted. */
const retire: ClerkWork = async (random, county, statement) => {
  await statement(
    `UPDATE pacs.property_val
     SET prop_inactive_dt = CASE WHEN prop_inactive_dt IS NULL THEN current_date END, updated_at = now()
     WHERE prop_id = $1 AND prop_val_yr = $2 AND sup_num = 0`,
    [property(random, county), TAX_YEAR],
  );
};

/** What comes in next, by how often it does at an office. */
export function pickWork(random: SeededRandom): ClerkWork {
  return random.weighted([
    [50, revalue],
    [15, sell],
    [14, move],
    [10, readdress],
    [4, split],
    [4, merge],
    [3, retire],
  ]);
}

/** A property of the generated county. Those that break a rule on purpose wait for a person to mend them. */
function property(random: SeededRandom, { parcels }: CountyOptions): number {
  for (;;) {
    const propId = random.whole(1, parcels);
    if (flawOf(propId) === undefined) return propId;
  }
}

function account(random: SeededRandom, county: CountyOptions): number {
  return random.whole(1, accountsOf(county));
}
