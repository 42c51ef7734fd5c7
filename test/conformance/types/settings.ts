/** Everything that decides how values are printed or read, set differently at source, target and role. To add one: a line. (CHECKLIST 7) */
export const settings: readonly {
  readonly name: string;
  readonly source: string;
  readonly target: string;
  readonly role: string;
}[] = [
  { name: 'DateStyle', source: 'German, DMY', target: 'SQL, YMD', role: 'Postgres, MDY' },
  { name: 'IntervalStyle', source: 'sql_standard', target: 'iso_8601', role: 'postgres_verbose' },
  { name: 'TimeZone', source: 'Asia/Kathmandu', target: 'America/St_Johns', role: 'Pacific/Apia' },
  { name: 'extra_float_digits', source: '-15', target: '0', role: '-3' },
  { name: 'bytea_output', source: 'escape', target: 'escape', role: 'escape' },
  { name: 'standard_conforming_strings', source: 'off', target: 'off', role: 'off' },
  { name: 'array_nulls', source: 'off', target: 'off', role: 'off' },
  { name: 'xmloption', source: 'document', target: 'document', role: 'document' },
  { name: 'xmlbinary', source: 'hex', target: 'base64', role: 'hex' },
  { name: 'quote_all_identifiers', source: 'on', target: 'on', role: 'on' },
  { name: 'client_encoding', source: 'LATIN1', target: 'WIN1252', role: 'LATIN9' },
  { name: 'search_path', source: 'types, public', target: '', role: 'public, types' },
  { name: 'transform_null_equals', source: 'on', target: 'on', role: 'on' },
  {
    name: 'default_text_search_config',
    source: 'pg_catalog.german',
    target: 'pg_catalog.french',
    role: 'pg_catalog.simple',
  },
  { name: 'default_transaction_isolation', source: 'serializable', target: 'repeatable read', role: 'serializable' },
  { name: 'timezone_abbreviations', source: 'India', target: 'Australia', role: 'Default' },
  { name: 'statement_timeout', source: '5min', target: '5min', role: '5min' },
  { name: 'backslash_quote', source: 'on', target: 'on', role: 'on' },
];
