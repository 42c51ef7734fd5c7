import type { z } from 'zod';
import type { pairInput, tableInput } from '#schemas/pairs.ts';
import { TAX_YEAR } from './county.ts';

export const PACS_SYSTEM = 'county-pacs';
export const CAMA_SYSTEM = 'county-cama';
export const DEMO_PAIR = 'pacs-to-cama';

type Table = z.input<typeof tableInput>;

/** The three columns that say which year layer and supplement a row belongs to. */
const layer = {
  prop_id: { from: 'prop_id' },
  tax_year: { from: 'prop_val_yr' },
  supplement: { from: 'sup_num' },
};

const conditions = { P: 'POOR', F: 'FAIR', A: 'AVERAGE', G: 'GOOD', E: 'EXCELLENT' };

/** Land use codes that the state knows, of those that the county uses. */
const landUseCodes = ['11', '12', '13', '18', '65', '83', '91'];

/**
 * PACS to CAMA as a county would map it, one table to one table. Names lie: PACS's `appraised_val` is the market value and its
 * `assessed_val` the capped one, the other way round than law texts use the words.
 */
const tables: Table[] = [
  {
    source: 'pacs.property',
    target: 'cama.parcel',
    where: "row.prop_type_cd.trim() in ['R', 'MH']",
    columns: {
      prop_id: { from: 'prop_id' },
      parcel_pin: {
        from: 'geo_id',
        transforms: ['trim', { replace: { find: '-', with: '' } }, { pad_left: { length: 12, with: '0' } }],
      },
      county_fips: { compute: "'53999'" },
      class_code: {
        from: 'prop_type_cd',
        transforms: ['trim', { lookup: { values: { R: 'REAL', MH: 'MOBILE HOME' }, otherwise: 'reject' } }],
      },
      created_on: { from: 'prop_create_dt' },
    },
    rules: [{ name: 'pin has 12 digits', check: "row.parcel_pin != null && row.parcel_pin.matches('^[0-9]{12}$')" }],
  },
  {
    source: 'pacs.property_val',
    target: 'cama.valuation',
    columns: {
      ...layer,
      legal_description: {
        from: 'legal_desc',
        transforms: [{ replace_pattern: { pattern: '[\\x00-\\x1f]+', with: ' ' } }, 'collapse_spaces', 'trim'],
      },
      acres: { from: 'legal_acreage' },
      neighborhood_code: { from: 'hood_cd', transforms: ['trim'] },
      land_use_code: { from: 'property_use_cd' },
      land_value: { compute: 'row.land_hstd_val + row.land_non_hstd_val' },
      improvement_value: { compute: 'row.imprv_hstd_val + row.imprv_non_hstd_val' },
      market_value: { from: 'appraised_val' },
      capped_value: { from: 'assessed_val' },
      status: { compute: "row.prop_inactive_dt == null ? 'ACTIVE' : 'RETIRED'" },
      certified_at: { from: 'updated_at' },
    },
    rules: [
      { name: 'land value is not negative', check: 'row.land_value >= 0' },
      {
        name: 'market value = land + improvements',
        check: 'row.market_value == row.land_value + row.improvement_value',
      },
      { name: 'tax year is near', check: `row.tax_year >= ${TAX_YEAR - 1} && row.tax_year <= ${TAX_YEAR + 1}` },
      {
        name: 'land use code is on the list',
        check: `row.land_use_code == null || row.land_use_code in [${landUseCodes.map((code) => `'${code}'`).join(', ')}]`,
        on_failure: 'warn',
      },
    ],
  },
  {
    source: 'pacs.situs',
    target: 'cama.situs',
    columns: {
      prop_id: { from: 'prop_id' },
      situs_no: { from: 'situs_id' },
      situs_address: {
        concat: ['situs_num', 'situs_street_prefx', 'situs_street', 'situs_street_sufx', 'situs_unit'],
        transforms: ['upper'],
      },
      situs_city: { from: 'situs_city', transforms: ['trim', 'upper'] },
      situs_zip: { from: 'situs_zip' },
    },
  },
  {
    source: 'pacs.account',
    target: 'cama.taxpayer',
    columns: {
      account_no: { from: 'acct_id' },
      name: { compute: "row.confidential_flag == 'T' ? 'CONFIDENTIAL' : row.file_as_name" },
      kind: { from: 'entity_flag', transforms: [{ lookup: { values: { P: 'HOUSEHOLD', B: 'BUSINESS' } } }] },
      phone: { from: 'phone', transforms: [{ mask: { keep_last: 4 } }] },
      email_fingerprint: { from: 'email', transforms: ['lower', { hash: { salt: 'demo county' } }] },
    },
  },
  {
    source: 'pacs.owner',
    target: 'cama.parcel_owner',
    columns: {
      prop_id: { from: 'prop_id' },
      tax_year: { from: 'owner_tax_yr' },
      supplement: { from: 'sup_num' },
      account_no: { from: 'owner_id' },
      percent: { from: 'pct_ownership' },
    },
  },
  {
    source: 'pacs.land_detail',
    target: 'cama.land_line',
    // Rows with a sale id are copies frozen for a sale, not the roll.
    where: 'row.sale_id == 0',
    columns: {
      ...layer,
      sale_no: { from: 'sale_id' },
      line_no: { from: 'land_seg_id' },
      land_type: {
        from: 'land_type_cd',
        transforms: [
          'trim',
          { lookup: { values: { HS: 'HOMESITE', DRY: 'DRY LAND', IRR: 'IRRIGATED', RNG: 'RANGE' } } },
        ],
      },
      acres: { from: 'size_acres' },
      sqft: { from: 'size_square_feet' },
      market_value: { from: 'mkt_val' },
    },
  },
  {
    source: 'pacs.imprv_detail',
    target: 'cama.building_line',
    where: 'row.sale_id == 0',
    columns: {
      ...layer,
      sale_no: { from: 'sale_id' },
      card_no: { from: 'imprv_id' },
      line_no: { from: 'imprv_det_id' },
      kind: {
        from: 'imprv_det_type_cd',
        transforms: ['trim', { lookup: { values: { MA: 'LIVING AREA', AG: 'ATTACHED GARAGE', CP: 'CARPORT' } } }],
      },
      quality_grade: { from: 'imprv_det_class_cd', transforms: ['trim'] },
      condition: { from: 'condition_cd', transforms: ['trim', { lookup: { values: conditions, otherwise: 'null' } }] },
      year_built: { from: 'yr_built' },
      area_sf: { from: 'imprv_det_area' },
      market_value: { from: 'imprv_det_val' },
    },
    rules: [
      {
        name: 'year built is plausible',
        check: `row.year_built == null || (row.year_built >= 1800 && row.year_built <= ${TAX_YEAR + 1})`,
      },
    ],
  },
  {
    source: 'pacs.sale',
    target: 'cama.sale_record',
    columns: {
      sale_no: { from: 'chg_of_owner_id' },
      prop_id: { from: 'prop_id' },
      sale_date: { from: 'sl_dt' },
      price: { from: 'sl_price' },
      validity_code: {
        from: 'sl_ratio_type_cd',
        transforms: [
          'trim',
          {
            lookup: {
              values: { V: 'VALID', Q: 'QUIT CLAIM', F: 'FAMILY', X: 'EXCLUDED' },
              otherwise: 'reject',
            },
          },
        ],
      },
      recorded_on: { from: 'deed_dt' },
      excise_number: { from: 'excise_nr' },
    },
    rules: [{ name: 'a valid sale has a price', check: "row.validity_code != 'VALID' || row.price > 0" }],
  },
];

/** The demo pair as it is posted to the gateway. */
export const demoPair: z.input<typeof pairInput> = {
  name: DEMO_PAIR,
  source: PACS_SYSTEM,
  target: CAMA_SYSTEM,
  tables,
  // A county's target is there before we are; tables that are missing are a mistake, not work for us.
  config: { create_tables: false },
  start: true,
};
