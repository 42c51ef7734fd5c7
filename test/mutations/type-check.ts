import { join } from 'node:path';
import ts from 'typescript';

/** Not mistakes here: what a mutation leaves unused, or makes unreachable. */
const allowed = new Set([6133, 6192, 6196, 6198, 6199, 7027]);

/** Tells whether a mutated file would still compile: what the compiler finds, no test has to. */
export class TypeCheck {
  readonly #folder: string;
  readonly #options: ts.CompilerOptions;
  /** Files that were asked about, with their text. */
  readonly #asked = new Map<string, { readonly text: string; readonly version: number }>();
  readonly #service: ts.LanguageService;
  #version = 0;

  constructor(folder: string) {
    this.#folder = folder;
    const config = ts.readConfigFile(join(folder, 'tsconfig.json'), (path) => ts.sys.readFile(path));
    this.#options = ts.parseJsonConfigFileContent(
      { ...(config.config as object), include: [], files: [] },
      ts.sys,
      folder,
    ).options;
    this.#service = ts.createLanguageService({
      getCompilationSettings: () => this.#options,
      getCurrentDirectory: () => folder,
      getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
      getScriptFileNames: () => [...this.#asked.keys()],
      getScriptVersion: (path) => String(this.#asked.get(path)?.version ?? 0),
      getScriptSnapshot: (path) => {
        const text = this.#asked.get(path)?.text ?? ts.sys.readFile(path);
        return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text);
      },
      fileExists: (path) => ts.sys.fileExists(path),
      readFile: (path) => ts.sys.readFile(path),
      directoryExists: (path) => ts.sys.directoryExists(path),
      getDirectories: (path) => ts.sys.getDirectories(path),
      realpath: (path) => ts.sys.realpath?.(path) ?? path,
    });
  }

  /** What the compiler would say of the file with this text. The file itself is left alone. */
  problems(file: string, text: string): string[] {
    const path = join(this.#folder, file);
    const before = ts.sys.readFile(path);
    try {
      this.#asked.set(path, { text, version: ++this.#version });
      return [...this.#service.getSyntacticDiagnostics(path), ...this.#service.getSemanticDiagnostics(path)]
        .filter(({ code }) => !allowed.has(code))
        .map(({ code, messageText }) => `TS${code}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`);
    } finally {
      this.#asked.set(path, { text: before ?? '', version: ++this.#version });
    }
  }
}
