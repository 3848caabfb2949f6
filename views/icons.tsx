/** @jsxImportSource @kitajs/html */
import type { PropsWithChildren } from "@kitajs/html";

// Icons are drawn in the colour of the text around them. None has a name: what it is in has one.

function Icon({ children }: PropsWithChildren): string {
  return (
    <svg
      class="icon"
      viewBox="0 0 16 16"
      width="16"
      height="16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      aria-hidden="true"
    >
      {children as "safe"}
    </svg>
  ) as string;
}

/** The half-filled disc of the theme switch. */
export function ThemeIcon(): string {
  return (
    <Icon>
      <circle cx="8" cy="8" r="6" />
      <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor" stroke="none" />
    </Icon>
  ) as string;
}

export function PlusIcon(): string {
  return (
    <Icon>
      <path d="M8 3v10M3 8h10" />
    </Icon>
  ) as string;
}

/** A door with an arrow out of it. */
export function LeaveIcon(): string {
  return (
    <Icon>
      <path d="M6 2.5H3.5v11H6M10.5 11l3-3-3-3M13 8H6.5" />
    </Icon>
  ) as string;
}

/** The buoy of the page's icon. */
export function Logo(): string {
  return (
    <svg class="logo" viewBox="0 0 32 32" width="22" height="22" aria-hidden="true">
      <circle cx="16" cy="16" r="15" fill="#0e6fb8" />
      <circle cx="16" cy="13" r="6" fill="#ff8a3d" />
      <path d="M4 21q4-3 8 0t8 0 8 0v3q-4 3-8 0t-8 0-8 0z" fill="#fff" />
    </svg>
  ) as string;
}
