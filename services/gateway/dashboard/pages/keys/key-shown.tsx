import { useRef, useState } from 'preact/hooks';
import type { KeyMade } from '#schemas/http/keys.ts';
import { Dialog } from '../../ui/dialog.tsx';

/** The one time that a key is shown. It is gone from the page with this dialog. */
export function KeyShown({ made, onClose }: { readonly made: KeyMade; readonly onClose: () => void }) {
  const [copied, setCopied] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const copy = (): void => {
    field.current?.select();
    // Pages over plain HTTP from another machine may not write to the clipboard: then the selected text is copied by hand.
    const clipboard = (navigator as { readonly clipboard?: Clipboard }).clipboard;
    clipboard?.writeText(made.key).then(
      () => {
        setCopied(true);
      },
      () => undefined,
    );
  };
  return (
    <Dialog title={`The key of ${made.name}`} onClose={onClose}>
      <div class="dialog-text">
        <p>
          <strong>It is shown only now.</strong> Keep it where its user finds it and nobody else does.
        </p>
        <div class="key-shown">
          <input ref={field} type="text" readonly aria-label="The key" value={made.key} spellcheck={false} />
          <button type="button" class="main" onClick={copy}>
            {copied ? 'Copied' : 'Copy'}
          </button>
        </div>
        <p class="soft" role="status">
          {copied ? 'It is in the clipboard.' : 'Sent in the header X-API-Key, or used to sign in here.'}
        </p>
        <div class="dialog-actions">
          <button type="button" onClick={onClose}>
            I have kept it
          </button>
        </div>
      </div>
    </Dialog>
  );
}
