import { alerts } from '../../app/live.ts';
import { AlertList } from '../../ui/alert-list.tsx';
import { Empty } from '../../ui/empty.tsx';
import { PageHead } from '../../ui/page.tsx';

export function Alerts() {
  return (
    <>
      <PageHead title="Alerts" />
      {alerts.value.length === 0 ? (
        <Empty title="Nothing calls for a look">
          An alert appears here when a pair fails or falls behind, a component is down, a source keeps much WAL, or rows
          are set aside.
        </Empty>
      ) : (
        <AlertList alerts={alerts.value} />
      )}
    </>
  );
}
