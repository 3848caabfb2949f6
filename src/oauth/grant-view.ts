/** A grant as routes, the dashboard and the command line show it. */
export interface GrantView {
  readonly id: string;
  readonly client: { readonly id: string; readonly name: string; readonly redirect_host: string | null };
  readonly relay: string;
  readonly resource: string;
  readonly holder: { readonly kind: "key" | "oidc"; readonly name: string; readonly key_id: string | null };
  /** Times are RFC 3339. */
  readonly created_at: string;
  readonly last_used_at: string | null;
  readonly expires_at: string | null;
}
