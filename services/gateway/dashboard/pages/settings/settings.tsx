import { may } from '../../app/session.ts';
import { setTheme, theme, type Theme } from '../../app/theme.ts';
import { ownTimeZone, setTimeZone, timeZone, zoneName, type TimeZone } from '../../app/time-zone.ts';
import { now } from '../../app/clock.ts';
import { absoluteIn } from '../../format.ts';
import { SelectField } from '../../ui/field.tsx';
import { Card, PageHead } from '../../ui/page.tsx';
import { InForce } from './in-force.tsx';
import { Who } from './who.tsx';

/** How this browser shows things, who looks, and (to administrators) what the installation runs with. */
export function Settings() {
  return (
    <>
      <PageHead title="Settings">
        <a class="button" href="/dashboard/roles">
          What each role may do
        </a>
      </PageHead>
      <div class="columns">
        <Who />
        <Card title="This browser">
          <div class="form">
            <SelectField
              label="Colours"
              value={theme.value}
              options={[
                { value: 'system', label: 'Like the system' },
                { value: 'light', label: 'Light' },
                { value: 'dark', label: 'Dark' },
              ]}
              onInput={(value: Theme) => {
                setTheme(value);
              }}
            />
            <SelectField
              label="Exact times in"
              value={timeZone.value}
              options={[
                { value: 'utc', label: 'UTC' },
                { value: 'local', label: `This browser’s zone (${ownTimeZone()})` },
              ]}
              onInput={(value: TimeZone) => {
                setTimeZone(value);
              }}
              help={`Now: ${absoluteIn(new Date(now.value).toISOString(), zoneName(timeZone.value))}. Kept in this browser.`}
            />
          </div>
        </Card>
      </div>
      {may('admin') ? <InForce /> : null}
    </>
  );
}
