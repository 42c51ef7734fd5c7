import { SeededRandom } from './random.ts';
import { holderForms, legalWords, letters, streetPrefixes, streets, streetSuffixes, towns } from './words.ts';

/** A cell as PostgreSQL reads it; null is NULL. */
export type Cell = string | number | null;

/** The tables of the demo's source with their columns in the order in which rows are generated. */
export const pacsColumns = {
  property: ['prop_id', 'geo_id', 'prop_type_cd', 'prop_create_dt'],
  prop_supp_assoc: ['prop_id', 'owner_tax_yr', 'sup_num'],
  property_val: [
    'prop_id',
    'prop_val_yr',
    'sup_num',
    'legal_desc',
    'legal_acreage',
    'hood_cd',
    'property_use_cd',
    'land_hstd_val',
    'land_non_hstd_val',
    'imprv_hstd_val',
    'imprv_non_hstd_val',
    'appraised_val',
    'cap_loss',
    'assessed_val',
    'prop_inactive_dt',
    'updated_at',
  ],
  account: ['acct_id', 'file_as_name', 'first_name', 'last_name', 'entity_flag', 'confidential_flag', 'email', 'phone'],
  address: [
    'acct_id',
    'addr_type_cd',
    'addr_line1',
    'addr_line2',
    'addr_city',
    'addr_state',
    'addr_zip',
    'primary_addr',
  ],
  owner: ['prop_id', 'owner_tax_yr', 'sup_num', 'owner_id', 'pct_ownership'],
  situs: [
    'prop_id',
    'situs_id',
    'primary_situs',
    'situs_num',
    'situs_street_prefx',
    'situs_street',
    'situs_street_sufx',
    'situs_unit',
    'situs_city',
    'situs_zip',
  ],
  land_detail: [
    'prop_id',
    'prop_val_yr',
    'sup_num',
    'sale_id',
    'land_seg_id',
    'land_type_cd',
    'size_acres',
    'size_square_feet',
    'mkt_val',
  ],
  imprv: ['prop_id', 'prop_val_yr', 'sup_num', 'sale_id', 'imprv_id', 'imprv_type_cd', 'imprv_val'],
  imprv_detail: [
    'prop_id',
    'prop_val_yr',
    'sup_num',
    'sale_id',
    'imprv_id',
    'imprv_det_id',
    'imprv_det_type_cd',
    'imprv_det_class_cd',
    'condition_cd',
    'yr_built',
    'imprv_det_area',
    'imprv_det_val',
  ],
  sale: ['chg_of_owner_id', 'prop_id', 'sl_price', 'sl_dt', 'sl_ratio_type_cd', 'deed_dt', 'excise_nr'],
} as const satisfies Record<string, readonly string[]>;

export type PacsTable = keyof typeof pacsColumns;
export const pacsTables = Object.keys(pacsColumns) as PacsTable[];

/** Rows by table, cells in the order of {@link pacsColumns}. */
export type PacsRows = Partial<Record<PacsTable, Cell[][]>>;

/** What the county is made from; equal options give an equal county, on every machine. */
export interface CountyOptions {
  readonly seed: number;
  /** Properties of all types, numbered from 1. */
  readonly parcels: number;
}

export const defaultCounty: CountyOptions = { seed: 20261121, parcels: 20_000 };

/** The year layer that all rows belong to. */
export const TAX_YEAR = 2026;

/** How many owner accounts a county of that size has, numbered from 1. */
export function accountsOf({ parcels }: CountyOptions): number {
  return Math.ceil(parcels * 0.7);
}

/**
 * How a property's rows break a rule of the demo pair, on purpose: the dead letters of the first start. undefined for all others.
 * negative_land: the land value is below zero · value_gap: appraised is not land + improvements · bad_pin: a letter in the geo id ·
 * free_sale: a sale without a price that is marked as valid.
 */
export type Flaw = 'negative_land' | 'value_gap' | 'bad_pin' | 'free_sale';

export function flawOf(propId: number): Flaw | undefined {
  if (propId % 2857 === 13) return 'negative_land';
  if (propId % 4001 === 77) return 'value_gap';
  if (propId % 6007 === 500) return 'bad_pin';
  if (propId % 5003 === 1200) return 'free_sale';
  return undefined;
}

/** How many rows of the county break a rule. */
export function flawedRows({ parcels }: CountyOptions): number {
  let count = 0;
  for (let propId = 1; propId <= parcels; propId++) if (flawOf(propId) !== undefined) count++;
  return count;
}

// Sequences of their own for accounts, so that a larger county begins like a smaller one.
const ACCOUNT_STREAM = 1_000_000_000;

export function generateAccount({ seed }: CountyOptions, acctId: number): PacsRows {
  const random = new SeededRandom(seed, ACCOUNT_STREAM + acctId);
  const street = random.pick(streets);
  const isPerson = random.chance(0.8);
  // Initials and a number: a row that looks like an owner and like nobody.
  const [first, last] = [letter(random), letter(random)];
  const name = isPerson ? `${last}. ${first}. ${acctId}` : `${street} ${acctId} ${random.pick(holderForms)}`;
  const [town, zip] = random.pick(towns);
  return {
    account: [
      [
        acctId,
        name,
        isPerson ? first : null,
        isPerson ? last : null,
        isPerson ? 'P' : 'B',
        random.chance(0.01) ? 'T' : 'F',
        random.chance(0.6) ? `account-${acctId}@mail.invalid` : null,
        random.chance(0.7) ? phone(random) : null,
      ],
    ],
    address: [
      [
        acctId,
        'M',
        `${random.whole(1, 9999)} ${street} ${random.pick(streetSuffixes)}`,
        random.chance(0.1) ? `UNIT ${random.whole(1, 40)}` : null,
        town,
        'WA',
        zip,
        'Y',
      ],
    ],
  };
}

export function generateParcel(options: CountyOptions, propId: number): PacsRows {
  const random = new SeededRandom(options.seed, propId);
  const flaw = flawOf(propId);
  const type =
    flaw === undefined
      ? random.weighted([
          [90, 'R'],
          [4, 'MH'],
          [5, 'P'],
          [1, 'MN'],
        ])
      : 'R';
  const isLand = type === 'R';
  const isHomestead = random.chance(0.6);
  const acres = isLand ? (random.chance(0.7) ? random.whole(8, 60) / 100 : random.whole(100, 16_000) / 100) : 0;
  const landValue = isLand ? roundTo(acres * random.whole(20_000, 300_000) + 15_000, 100) : 0;
  const details = type === 'P' || type === 'MN' || random.chance(0.15) ? [] : buildings(random, propId);
  const improvementValue = details.reduce((sum, detail) => sum + (detail.at(-1) as number), 0);
  const land = flaw === 'negative_land' ? -landValue : landValue;
  const appraised = land + improvementValue + (flaw === 'value_gap' ? 12_500 : 0);
  const capLoss = isHomestead && random.chance(0.3) ? roundTo(Math.max(0, appraised) * 0.08, 1) : 0;
  const owner = random.whole(1, accountsOf(options));
  const owners = random.chance(0.06) ? [owner, (owner % accountsOf(options)) + 1] : [owner];
  return {
    property: [[propId, type === 'P' ? null : geoId(propId, flaw), type, date(random, 1975, 2024)]],
    prop_supp_assoc: [[propId, TAX_YEAR, 0]],
    property_val: [
      [
        propId,
        TAX_YEAR,
        0,
        legalDescription(random, propId),
        acres.toFixed(4),
        `N${random.whole(100, 160)}`,
        useCode(random, type),
        isHomestead ? land : 0,
        isHomestead ? 0 : land,
        isHomestead ? improvementValue : 0,
        isHomestead ? 0 : improvementValue,
        appraised,
        capLoss,
        appraised - capLoss,
        random.chance(0.01) ? date(random, 2024, 2025) : null,
        `${date(random, 2025, 2025)} ${String(random.whole(8, 17)).padStart(2, '0')}:${String(random.whole(0, 59)).padStart(2, '0')}:00+00`,
      ],
    ],
    owner: owners.map((acctId) => [propId, TAX_YEAR, 0, acctId, (100 / owners.length).toFixed(10)]),
    situs: type === 'MN' ? [] : [situs(random, propId)],
    land_detail: isLand ? landLines(random, propId, acres, land) : [],
    imprv: details.length === 0 ? [] : [[propId, TAX_YEAR, 0, 0, 1, 'R', improvementValue]],
    imprv_detail: details,
    sale: flaw === 'free_sale' || (isLand && random.chance(0.5)) ? [sale(random, propId, appraised, flaw)] : [],
  };
}

/** "104-1-60007": unique once the dashes are gone, shorter than the county's 12 digits. */
export function geoId(propId: number, flaw?: Flaw): string {
  const digits = String(100_000_000 + propId * 7);
  const text = `${digits.slice(0, 3)}-${digits.slice(3, 4)}-${digits.slice(4)}`;
  return flaw === 'bad_pin' ? `${text}X` : text;
}

export function situs(random: SeededRandom, propId: number): Cell[] {
  const [town, zip] = random.pick(towns);
  return [
    propId,
    1,
    'Y',
    String(random.whole(1, 19_999)),
    random.pick(streetPrefixes),
    capitalised(random.pick(streets)),
    random.pick(streetSuffixes),
    random.chance(0.08) ? `#${random.whole(1, 60)}` : null,
    town,
    zip,
  ];
}

export function phone(random: SeededRandom): string {
  // 555-01xx is kept free for examples.
  return `555-01${String(random.whole(0, 99)).padStart(2, '0')}-${random.whole(1000, 9999)}`;
}

function buildings(random: SeededRandom, propId: number): Cell[][] {
  const year = random.whole(1905, 2024);
  const grade = random.pick(['L', 'F', 'A', 'G', 'VG', 'E']);
  const condition = random.pick(['P', 'F', 'A', 'G', 'E']);
  const parts: [string, number, number][] = [['MA', random.whole(600, 3600), random.whole(90, 240)]];
  if (random.chance(0.6)) parts.push(['AG', random.whole(240, 900), random.whole(30, 60)]);
  if (random.chance(0.2)) parts.push(['CP', random.whole(180, 500), random.whole(10, 25)]);
  return parts.map(([type, area, rate], index) => [
    propId,
    TAX_YEAR,
    0,
    0,
    1,
    index + 1,
    type,
    grade,
    condition,
    year,
    area,
    roundTo(area * rate, 100),
  ]);
}

function landLines(random: SeededRandom, propId: number, acres: number, value: number): Cell[][] {
  const line = (no: number, type: string, size: number, worth: number): Cell[] => [
    propId,
    TAX_YEAR,
    0,
    0,
    no,
    type,
    size.toFixed(4),
    Math.round(size * 43_560),
    worth,
  ];
  if (acres < 2 || random.chance(0.5)) return [line(1, 'HS', acres, value)];
  const site = roundTo(value / 3, 100);
  return [line(1, 'HS', 1, site), line(2, random.pick(['DRY', 'IRR', 'RNG']), acres - 1, value - site)];
}

function sale(random: SeededRandom, propId: number, appraised: number, flaw: Flaw | undefined): Cell[] {
  const code = flaw === 'free_sale' ? 'V' : random.pick(['V', 'V', 'V', 'V', 'Q', 'F', 'X']);
  const price =
    flaw === 'free_sale' || code === 'Q' ? 0 : roundTo(Math.max(10_000, appraised * (0.8 + random.next() / 2)), 500);
  const day = date(random, 2019, 2025);
  return [propId, propId, price, day, code, day, `E${String(propId).padStart(7, '0')}`];
}

function useCode(random: SeededRandom, type: string): string | null {
  if (type === 'MH') return '18';
  if (type !== 'R') return null;
  return random.weighted([
    [60, '11'],
    [8, '12'],
    [3, '13'],
    [4, '65'],
    [10, '83'],
    [14, '91'],
    // A code that no list has: the pair warns about it and writes the row all the same.
    [1, '00'],
  ]);
}

function legalDescription(random: SeededRandom, propId: number): string {
  const lot = `LOT  ${random.whole(1, 60)} BLOCK ${random.whole(1, 30)}, ${random.pick(streets)} PLAT`;
  // Metes and bounds of a few large parcels are long enough for the database to store them out of line, as it does with real ones:
  // an update that leaves such a value alone does not send it.
  if (propId % 397 !== 0) return lot;
  const calls = Array.from(
    { length: 220 },
    () =>
      `${random.pick(legalWords)} ${random.whole(1, 89)}°${random.whole(0, 59)}'${random.whole(0, 59)}" ${random.whole(10, 2640)}.${random.whole(0, 99)} FEET`,
  );
  return `${lot}; ${calls.join(', ')}`;
}

function letter(random: SeededRandom): string {
  return letters[random.whole(0, letters.length - 1)]!;
}

function date(random: SeededRandom, from: number, to: number): string {
  const part = (value: number): string => String(value).padStart(2, '0');
  return `${random.whole(from, to)}-${part(random.whole(1, 12))}-${part(random.whole(1, 28))}`;
}

function roundTo(value: number, step: number): number {
  return Math.round(value / step) * step;
}

function capitalised(word: string): string {
  return word.charAt(0) + word.slice(1).toLowerCase();
}
