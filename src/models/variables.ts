import type {
  IStatesDifference,
  IVariables,
  Variable,
  VariableChange
} from '../tokens';

/** One variable of a state, and what became of it since the state before. */
export interface IVariableRow {
  name: string;
  type: string;
  /** In bytes, with all that it shares; 0 for small values, which are kept together. */
  size: number;
  preview: string;
  /** `null` for one that the state does not have any more. */
  variable: Variable | null;
  change: VariableChange | null;
}

/** The variables of a state and those that went since the one before, by name. */
export function variableRows({ report, changes }: IVariables): IVariableRow[] {
  const byName = new Map((changes ?? []).map(each => [each.name, each]));
  const rows = report.map(variable => ({
    name: variable.name,
    type: variable.type,
    size: variable.size,
    preview: variable.preview,
    variable,
    change: byName.get(variable.name) ?? null
  }));
  const gone = (changes ?? []).filter(each => each.how === 'removed');
  return [
    ...rows,
    ...gone.map(change => ({
      name: change.name,
      type: change.type,
      size: change.before_bytes,
      preview: change.before,
      variable: null,
      change
    }))
  ].sort((one, other) => one.name.localeCompare(other.name));
}

/** One variable as one of two states has it. */
export interface ISide {
  type: string;
  /** In bytes; 0 for small values, which are kept together. */
  size: number;
  preview: string;
  /** How it is kept; `null` where the state does not tell that of it. */
  variable: Variable | null;
}

/** One variable in two states; `null` where it is not there. */
export interface IComparedRow {
  name: string;
  how: VariableChange['how'] | 'same';
  left: ISide | null;
  right: ISide | null;
}

/** Every variable of two states, by name. */
export function comparedRows(difference: IStatesDifference): IComparedRow[] {
  const before = sidesOf(difference.before_report);
  const after = sidesOf(difference.after_report);
  const changed = new Map(difference.changes.map(each => [each.name, each]));
  const names = new Set([...before.keys(), ...after.keys(), ...changed.keys()]);
  return [...names]
    .map(name => {
      const change = changed.get(name);
      let left = before.get(name) ?? null;
      let right = after.get(name) ?? null;
      if (change) {
        // What a module of the user's has is compared, but is in no report by itself.
        const { type } = change;
        left ??=
          change.how === 'added' ? null : bareSide(type, change, 'before');
        right ??=
          change.how === 'removed' ? null : bareSide(type, change, 'after');
      }
      const how = !left
        ? 'added'
        : !right
          ? 'removed'
          : change
            ? 'changed'
            : 'same';
      return { name, how, left, right } as const;
    })
    .sort((one, other) => one.name.localeCompare(other.name));
}

function sidesOf(report: Variable[]): Map<string, ISide> {
  return new Map(
    report.map(variable => {
      const { name, preview, size, type } = variable;
      return [name, { type, size, preview, variable }];
    })
  );
}

function bareSide(
  type: string,
  change: VariableChange,
  side: 'before' | 'after'
): ISide {
  const size = change[`${side}_bytes`];
  return { type, size, preview: change[side], variable: null };
}
