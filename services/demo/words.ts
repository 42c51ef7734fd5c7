/** Words that the generated county is made of. Trees, water and landscape only: nothing here names anybody or any real place. */

export const streets = [
  'ALDER',
  'ASPEN',
  'BASALT',
  'BEARGRASS',
  'BIRCH',
  'BITTERROOT',
  'CANYON',
  'CATTAIL',
  'CEDAR',
  'COTTONWOOD',
  'CURRANT',
  'DOGWOOD',
  'ELDERBERRY',
  'FERN',
  'FIR',
  'GRANITE',
  'HAWTHORN',
  'HEMLOCK',
  'JUNIPER',
  'LARCH',
  'LUPINE',
  'MADRONE',
  'MAPLE',
  'MEADOW',
  'ORCHARD',
  'PINE',
  'PRAIRIE',
  'QUARRY',
  'RABBITBRUSH',
  'SAGE',
  'SERVICEBERRY',
  'SPRUCE',
  'SUMAC',
  'TAMARACK',
  'TULE',
  'WHEAT',
  'WILLOW',
  'YARROW',
] as const;

export const streetPrefixes = ['', '', 'N', 'S', 'E', 'W', 'NW', 'SE'] as const;

export const streetSuffixes = ['ST', 'AVE', 'RD', 'LN', 'CT', 'DR', 'WAY', 'PL'] as const;

type Town = readonly [name: string, zip: string];

/** Towns of the demo county, each with its postal code; the codes are of a range that is not in use. */
export const towns: readonly [Town, ...Town[]] = [
  ['DRY FORK', '00301'],
  ['EAST BEND', '00302'],
  ['LOWER FLATS', '00303'],
  ['NORTH LANDING', '00304'],
  ['STONE FORD', '00305'],
  ['UPPER FLATS', '00306'],
];

export const holderForms = ['HOLDINGS LLC', 'LAND TRUST', 'ORCHARDS INC', 'PROPERTIES LLC', 'FARMS LP'] as const;

export const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';

export const legalWords = [
  'THENCE NORTH',
  'THENCE SOUTH',
  'THENCE EAST',
  'THENCE WEST',
  'TO AN IRON PIN',
  'TO A STONE MONUMENT',
  'ALONG THE CENTERLINE OF SAID ROAD',
  'TO THE TRUE POINT OF BEGINNING',
  'EXCEPT THE SOUTH HALF THEREOF',
  'TOGETHER WITH AN EASEMENT FOR INGRESS AND EGRESS',
  'SUBJECT TO RESERVATIONS OF RECORD',
] as const;
