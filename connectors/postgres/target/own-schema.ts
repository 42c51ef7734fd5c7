/** What we keep at a target is in a schema of our own, and so are the functions that go with it. */
export const SCHEMA = '_terrafusion';
