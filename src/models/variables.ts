import type { IVariables, Variable, VariableChange } from '../tokens';

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
