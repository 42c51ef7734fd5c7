import { describe, expect, test } from 'vitest';
import { counted, paint, table } from '#services/cli/output.ts';
import { cut, pad, printable } from '#services/cli/text.ts';
import { RecordingTerminal } from './recording-terminal.ts';

describe('what others wrote', () => {
  test('cannot steer the terminal: control characters are shown, not sent', () => {
    const evil = 'a\u001b[2Jb\r\nc\u0007\u009b1md\te';
    expect(printable(evil)).toBe('a\\x1b[2Jb\\r\\nc\\x07\\x9b1md\\te');
    const text = table([{ name: evil }], [{ title: 'NAME', value: ({ name }) => name }]);
    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
  });

  test('is cut and filled by characters, not by UTF-16 units', () => {
    expect(cut('𝕡𝕒𝕔𝕤', 3)).toBe('𝕡𝕒…');
    expect(cut('pacs', 4)).toBe('pacs');
    expect(cut('pacs', 0)).toBe('');
    expect(pad('𝕡', 3, false)).toBe('𝕡  ');
    expect(pad('7', 3, true)).toBe('  7');
  });
});

describe('a table', () => {
  const rows = [{ name: 'a'.repeat(40), reason: 'b'.repeat(60), n: '7' }];
  const columns = [
    { title: 'NAME', value: ({ name }: { name: string }) => name, flexible: true },
    { title: 'N', value: ({ n }: { n: string }) => n, right: true },
    { title: 'REASON', value: ({ reason }: { reason: string }) => reason, flexible: true },
  ];

  test('fits the terminal: the widest flexible columns are cut', () => {
    for (const width of [100, 60, 30]) {
      const lines = table(rows, columns, new RecordingTerminal({ isTty: true, columns: width })).split('\n');
      for (const line of lines) expect(Array.from(line).length, String(width)).toBeLessThanOrEqual(width);
      expect(lines[1]).toContain('…');
      expect(lines[1]).toContain(' 7 ');
    }
  });

  test('is whole where no terminal is', () => {
    expect(table(rows, columns, new RecordingTerminal({ columns: 30 }))).toContain('b'.repeat(60));
  });

  test('is coloured only where colours are wanted', () => {
    const coloured = [{ title: 'N', value: ({ n }: { n: string }) => n, colour: () => 'red' as const }];
    expect(table(rows, coloured, new RecordingTerminal({ isTty: true, colours: true }))).toContain(
      '\u001b[31m7\u001b[39m',
    );
    expect(table(rows, coloured, new RecordingTerminal({ isTty: true }))).toBe('N\n7\n');
    expect(paint(new RecordingTerminal({ colours: true }), undefined, 'x')).toBe('x');
  });
});

test('one is not many', () => {
  expect([counted(1, 'pair'), counted(2, 'pair'), counted(0, 'entry', 'entries')]).toEqual([
    '1 pair',
    '2 pairs',
    '0 entries',
  ]);
});
