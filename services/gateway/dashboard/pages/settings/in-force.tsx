import { useState } from 'preact/hooks';
import type { SettingsView } from '#schemas/http/settings.ts';
import { readSettings } from '../../api/settings.ts';
import { useLoaded } from '../../app/hooks.ts';
import { components } from '../../app/live.ts';
import { bytes, count } from '../../format.ts';
import { Badge } from '../../ui/badge.tsx';
import { Empty } from '../../ui/empty.tsx';
import { SearchField } from '../../ui/filters.tsx';
import { Card, Figure } from '../../ui/page.tsx';
import { Failure } from '../../ui/problem.tsx';
import { Table, type Column } from '../../ui/table.tsx';

type Setting = SettingsView['settings'][number];

const origins: Readonly<Record<Setting['origin'], string>> = {
  environment: 'environment',
  file: 'config file',
  default: 'default',
};

const columns: readonly Column<Setting>[] = [
  {
    title: 'Setting',
    cell: ({ name, description }) => (
      <>
        <code>{name}</code>
        <span class="soft ends">{description}</span>
      </>
    ),
    sort: ({ name }) => name,
    wide: true,
  },
  {
    title: 'Value',
    cell: ({ value }) => (value === null ? <span class="soft">not set</span> : <code>{value}</code>),
    wide: true,
  },
  {
    title: 'From',
    cell: ({ origin }) => (
      <Badge state={origin} label={origins[origin]} tone={origin === 'default' ? 'calm' : 'good'} />
    ),
    sort: ({ origin }) => origin,
  },
];

/** What the installation runs with: versions, disk, how long things are kept, and every setting with its origin. */
export function InForce() {
  const { data, error } = useLoaded('settings', (signal) => readSettings({ signal }), { every: 30_000 });
  if (data === undefined) {
    return error === undefined ? <p class="soft loading">Loading …</p> : <Failure error={error} />;
  }
  return (
    <>
      <Failure error={error} />
      <div class="columns">
        <Versions versions={data.versions} />
        <Disk data={data.data} />
      </div>
      <Card title="How long things are kept" flush>
        <Table
          label="Retention"
          rows={data.retention}
          columns={[
            { title: 'What', cell: ({ what }) => what },
            { title: 'Kept', cell: ({ kept }) => kept, wide: true },
            {
              title: 'Setting',
              cell: ({ setting }) => (setting === null ? <span class="soft">fixed</span> : <code>{setting}</code>),
            },
          ]}
          rowKey={({ what }) => what}
          empty={null}
        />
      </Card>
      <AllSettings settings={data.settings} />
    </>
  );
}

function Versions({ versions }: { readonly versions: SettingsView['versions'] }) {
  const others = components.value.flatMap(({ name, details }) =>
    typeof details['version'] === 'string' && name !== 'gateway' ? [{ name, version: details['version'] }] : [],
  );
  return (
    <Card title="Versions">
      <dl class="figures">
        <Figure label="TerraFusion Sync" value={versions.terrafusion} note="this gateway" />
        {others.map(({ name, version }) => (
          <Figure key={name} label={name} value={version} />
        ))}
        <Figure label="Node.js" value={versions.node} />
        <Figure
          label="Control database"
          value={versions.control_database === null ? 'does not answer' : `PostgreSQL ${versions.control_database}`}
          note={versions.schema ?? undefined}
        />
      </dl>
    </Card>
  );
}

function Disk({
  data: { folder, disk_free_bytes: free, disk_total_bytes: total },
}: {
  readonly data: SettingsView['data'];
}) {
  const used = free === null || total === null ? null : total - free;
  const percent = used === null || total === null || total === 0 ? null : Math.round((used / total) * 100);
  return (
    <Card title="Data folder">
      <p class="data-folder">
        <code>{folder}</code>
      </p>
      {percent === null ? (
        <p class="soft">Its disk does not tell how full it is.</p>
      ) : (
        <div class="progress">
          <div
            class="track"
            role="meter"
            aria-label="Disk used"
            aria-valuenow={percent}
            aria-valuemin={0}
            aria-valuemax={100}
          >
            <div class={percent >= 85 ? 'fill bad' : 'fill'} style={{ width: `${percent}%` }} />
          </div>
          <div class="figures-line">
            <strong>{percent} %</strong> of the disk is used · {bytes(free)} free of {bytes(total)}
          </div>
        </div>
      )}
    </Card>
  );
}

function AllSettings({ settings }: { readonly settings: readonly Setting[] }) {
  const [text, setText] = useState('');
  const [onlySet, setOnlySet] = useState(false);
  const wanted = text.toLowerCase();
  const shown = settings.filter(
    ({ name, description, origin }) =>
      (!onlySet || origin !== 'default') && `${name} ${description}`.toLowerCase().includes(wanted),
  );
  return (
    <Card title="Settings in force" flush>
      <div class="filters" role="search">
        <SearchField label="Search settings" placeholder="Name or words" value={text} onInput={setText} />
        <label class="check">
          <input
            type="checkbox"
            checked={onlySet}
            onChange={(event) => {
              setOnlySet(event.currentTarget.checked);
            }}
          />
          Only what was set
        </label>
        <span class="soft">
          {count(shown.length)} of {count(settings.length)}
        </span>
      </div>
      <Table
        label="Settings"
        rows={shown}
        columns={columns}
        rowKey={({ name }) => name}
        empty={
          <Empty title="No setting is like this">
            Settings are environment variables, or lines of the file that TERRAFUSION_CONFIG_FILE names. They take
            effect at the next start.
          </Empty>
        }
      />
    </Card>
  );
}
