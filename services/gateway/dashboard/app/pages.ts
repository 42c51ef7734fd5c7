import type { ComponentType } from 'preact';
import type { Role } from '#schemas/http/common.ts';
import type { IconName } from '../ui/icon.tsx';
import { alerts, openDeadLetters, pairs } from './live.ts';
import { matchPath, type Params } from './paths.ts';

/** Where a page stands in the navigation. */
export interface NavigationEntry {
  readonly icon: IconName;
  /** Shown behind the name when it is not 0; read live. */
  readonly count?: () => number;
  readonly countTone?: 'calm' | 'bad';
}

export interface Page {
  /** "/dashboard/pairs/:pair" */
  readonly path: string;
  /** Other addresses of it, such as bookmarks of the older service; the browser then shows `path`. */
  readonly aliases: readonly string[];
  readonly title: string;
  /** Who has less does not see the page. */
  readonly role: Role;
  /** Left out: reached from another page. */
  readonly navigation: NavigationEntry | undefined;
  /** The page's code, which comes when it is opened. It is given the parameters of the path. */
  readonly load: () => Promise<ComponentType<Record<string, string>>>;
}

interface PageInput<Path extends string> {
  readonly path: Path;
  readonly aliases?: readonly string[];
  readonly title: string;
  readonly role?: Role;
  readonly navigation?: NavigationEntry;
  readonly load: () => Promise<ComponentType<Params<Path>>>;
}

/** What a page takes is checked here against its path; the router then hands over just that. */
function page<const Path extends string>(input: PageInput<Path>): Page {
  const { aliases = [], role = 'viewer', navigation } = input;
  return { ...input, aliases, role, navigation, load: input.load as Page['load'] };
}

/** All pages there are, in the order of the navigation: what stands here can be reached, and nothing else. */
export const pages: readonly Page[] = [
  page({
    path: '/dashboard',
    aliases: ['/sync/dashboard', '/sync/terra_fusion', '/sync/terra_fusion/dashboard'],
    title: 'Overview',
    navigation: { icon: 'overview' },
    load: async () => (await import('../pages/overview/overview.tsx')).Overview,
  }),
  page({
    path: '/dashboard/pairs',
    title: 'Pairs',
    navigation: { icon: 'pairs', count: () => pairs.value.length },
    load: async () => (await import('../pages/pairs/pairs.tsx')).Pairs,
  }),
  page({
    path: '/dashboard/pairs/new/step/:step',
    title: 'New pair',
    role: 'editor',
    load: async () => (await import('../pages/new-pair/wizard.tsx')).NewPair,
  }),
  page({
    path: '/dashboard/pairs/:pair',
    title: 'Pair',
    load: async () => (await import('../pages/pair/pair.tsx')).PairPage,
  }),
  page({
    path: '/dashboard/pairs/:pair/:tab',
    title: 'Pair',
    load: async () => (await import('../pages/pair/pair.tsx')).PairPage,
  }),
  page({
    path: '/dashboard/systems',
    title: 'Systems',
    navigation: { icon: 'systems' },
    load: async () => (await import('../pages/systems/systems.tsx')).Systems,
  }),
  page({
    path: '/dashboard/systems/new',
    title: 'Register a system',
    role: 'editor',
    load: async () => (await import('../pages/systems/new-system.tsx')).NewSystem,
  }),
  page({
    path: '/dashboard/systems/:system',
    title: 'System',
    load: async () => (await import('../pages/systems/system.tsx')).SystemPage,
  }),
  page({
    path: '/dashboard/systems/:system/edit',
    title: 'Change a system',
    role: 'editor',
    load: async () => (await import('../pages/systems/edit-system.tsx')).EditSystem,
  }),
  page({
    path: '/dashboard/systems/:system/:tab',
    title: 'System',
    load: async () => (await import('../pages/systems/system.tsx')).SystemPage,
  }),
  page({
    path: '/dashboard/operations',
    aliases: ['/sync/jobs'],
    title: 'Operations',
    navigation: { icon: 'operations' },
    load: async () => (await import('../pages/operations/operations.tsx')).Operations,
  }),
  page({
    path: '/dashboard/operations/:operation',
    aliases: ['/sync/job/:operation', '/sync/terra_fusion/job/:operation'],
    title: 'Operation',
    load: async () => (await import('../pages/operations/operation.tsx')).Operation,
  }),
  page({
    path: '/dashboard/dead-letters',
    title: 'Dead letters',
    role: 'operator',
    navigation: { icon: 'dead-letters', count: () => openDeadLetters.value, countTone: 'bad' },
    load: async () => (await import('../pages/dead-letters/dead-letters.tsx')).DeadLetters,
  }),
  page({
    path: '/dashboard/dead-letters/:letter',
    title: 'Dead letter',
    role: 'operator',
    load: async () => (await import('../pages/dead-letters/letter.tsx')).DeadLetter,
  }),
  page({
    path: '/dashboard/conflicts',
    aliases: ['/sync/conflicts', '/sync/terra_fusion/conflicts/:conflict'],
    title: 'Conflicts',
    navigation: { icon: 'conflicts' },
    load: async () => (await import('../pages/conflicts/conflicts.tsx')).Conflicts,
  }),
  page({
    path: '/dashboard/alerts',
    title: 'Alerts',
    navigation: { icon: 'alerts', count: () => alerts.value.length, countTone: 'bad' },
    load: async () => (await import('../pages/alerts/alerts.tsx')).Alerts,
  }),
  page({
    path: '/dashboard/alerts/history',
    title: 'Alerts that are gone',
    load: async () => (await import('../pages/alerts/alerts.tsx')).AlertHistory,
  }),
  page({
    path: '/dashboard/alerts/rules',
    title: 'Thresholds of alerts',
    load: async () => (await import('../pages/alerts/alerts.tsx')).AlertThresholds,
  }),
  page({
    path: '/dashboard/alerts/self-healing',
    title: 'Self-healing',
    load: async () => (await import('../pages/alerts/alerts.tsx')).Healing,
  }),
  page({
    path: '/dashboard/audit',
    title: 'Audit',
    navigation: { icon: 'audit' },
    load: async () => (await import('../pages/audit/audit.tsx')).Audit,
  }),
  page({
    path: '/dashboard/audit/summary',
    title: 'Audit summary',
    load: async () => (await import('../pages/audit/audit.tsx')).AuditFigures,
  }),
  page({
    path: '/dashboard/keys',
    title: 'Keys',
    role: 'admin',
    navigation: { icon: 'keys' },
    load: async () => (await import('../pages/keys/keys.tsx')).Keys,
  }),
  page({
    path: '/dashboard/settings',
    title: 'Settings',
    navigation: { icon: 'settings' },
    load: async () => (await import('../pages/settings/settings.tsx')).Settings,
  }),
  page({
    path: '/dashboard/roles',
    title: 'Roles',
    load: async () => (await import('../pages/keys/roles.tsx')).Roles,
  }),
];

/** The page of an address, with the parameters in it; `canonical` is set when the address is another name of it. */
export interface Found {
  readonly page: Page;
  readonly params: Readonly<Record<string, string>>;
  readonly canonical: string | undefined;
}

export function findPage(path: string): Found | undefined {
  for (const each of pages) {
    const params = matchPath(each.path, path);
    if (params) return { page: each, params, canonical: undefined };
    for (const alias of each.aliases) {
      const given = matchPath(alias, path);
      if (given) return { page: each, params: given, canonical: fill(each.path, given) };
    }
  }
  return undefined;
}

const fill = (pattern: string, params: Readonly<Record<string, string>>): string =>
  pattern.replace(/:(\w+)/g, (_whole, name: string) => encodeURIComponent(params[name] ?? ''));
