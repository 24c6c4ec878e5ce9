import { DockerfileParser, type Copy, type Instruction, type JSONInstruction } from 'dockerfile-ast';

/** What a Dockerfile of ours does, step by step. */
export interface Image {
  /** `node:24.21.0-slim` */
  readonly from: string;
  readonly workdir: string;
  readonly steps: readonly Step[];
  readonly user: string | undefined;
  readonly command: readonly string[];
  readonly healthcheck: readonly string[] | undefined;
  readonly stopSignal: string | undefined;
}

type Step =
  | { readonly kind: 'copy'; readonly sources: readonly string[]; readonly target: string }
  | { readonly kind: 'run'; readonly command: string };

/**
 * Reads a Dockerfile of one stage.
 * @throws Error when it uses something that this check cannot follow
 */
export function readDockerfile(text: string): Image {
  const instructions = DockerfileParser.parse(text).getInstructions();
  const last = (keyword: string) => instructions.findLast(instruction => instruction.getKeyword() === keyword);
  const argument = (keyword: string) => last(keyword)?.getArgumentsContent() ?? undefined;
  const froms = instructions.filter(instruction => instruction.getKeyword() === 'FROM');
  const [from] = froms;
  if (!from || froms.length > 1) throw new Error('a Dockerfile of ours has one stage');
  const health = last('HEALTHCHECK');
  return {
    from: from.getArgumentsContent() ?? '',
    workdir: argument('WORKDIR') ?? '/',
    steps: instructions.flatMap(toStep),
    user: argument('USER'),
    command: jsonStrings(last('CMD')),
    healthcheck: health && execForm(health.getArgumentsContent() ?? ''),
    stopSignal: argument('STOPSIGNAL'),
  };
}

const HARMLESS = ['FROM', 'ENV', 'WORKDIR', 'USER', 'EXPOSE', 'STOPSIGNAL', 'HEALTHCHECK', 'CMD'];

function toStep(instruction: Instruction): Step[] {
  const keyword = instruction.getKeyword();
  if (keyword === 'RUN') return [{ kind: 'run', command: instruction.getArgumentsContent() ?? '' }];
  if (keyword === 'COPY') return [toCopy(instruction as Copy)];
  if (!HARMLESS.includes(keyword)) throw new Error(`${keyword} is not an instruction that this check can follow`);
  return [];
}

function toCopy(copy: Copy): Step {
  const paths = copy.getArguments().map(argument => argument.getValue());
  const target = paths.pop() ?? '';
  if (copy.getFlags().length > 0 || paths.some(path => path.includes('*'))) {
    throw new Error(`${copy.toString()}: COPY with flags or wildcards is more than this check can follow`);
  }
  return { kind: 'copy', sources: paths, target };
}

function jsonStrings(instruction: Instruction | undefined): string[] {
  return (instruction as JSONInstruction | undefined)?.getJSONStrings().map(string => string.getJSONValue()) ?? [];
}

/** `--interval=15s CMD ["node", …]` → `['node', …]` */
function execForm(healthcheck: string): string[] {
  return JSON.parse(healthcheck.slice(healthcheck.indexOf('['))) as string[];
}
