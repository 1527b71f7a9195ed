(()=>{var E,Ct,Bn,ne,Ge,Le,Et,Pe,Mt,Xe,Je,jn,ge=Symbol.for("pv"),Te={},Ae=[],Hn=/^m(i|n|o|s|text|space)$/,Ye=Array.isArray,Ze=Ae.slice,ce=Object.assign;function le(e){e&&e.parentNode&&e.remove()}function Pt(e,t,n){var s,a,o,r={},i=arguments.length;for(o in t)o=="key"?s=t[o]:o=="ref"&&typeof e!="function"?a=t[o]:r[o]=t[o];return i>2&&(r.children=i>3?Ze.call(arguments,2):n),_e(e,r,s,a,null)}function _e(e,t,n,s,a){var o={type:e,props:t,key:n,ref:s,__k:null,__:null,__b:0,__e:null,__c:null,constructor:ge,__v:a||++Ct,__i:-1,__u:0};return!a&&E.vnode&&E.vnode(o),o}function Ie(e){return e.children}function Ne(e,t){this.props=e,this.context=t,this.__g=0}function se(e,t){if(t==null)return e.__&&se(e.__,e.__i+1);for(var n;t<e.__k.length;t++)if((n=e.__k[t])&&n.__e)return n.__e;return typeof e.type!="function"||e.props.__P?null:se(e)}function Un(e){var t,n=e.__v,s=n.__e,a=[],o=[],r=e.__P;r&&((t=ce({constructor:ge},n)).__v=n.__v+1,E.vnode&&E.vnode(t),Qe(r,t,n,e.__n,r.namespaceURI,32&n.__u?[s]:null,a,s||se(n),32&n.__u,o),t.__v=n.__v,t.__.__k[t.__i]=t,It(a,t,o),n.__=n.__e=null,t.__e!=s&&Nt(t))}function Nt(e){if((e=e.__)&&e.__c&&!e.props.__P)return e.__e=null,e.__k.some(function(t){return t&&(e.__e=t.__e)}),Nt(e)}function kt(e){(8&e.__g||(e.__g|=8,ne.push(e),Le++))&&Ge==E.debounceRendering||((Ge=E.debounceRendering)||queueMicrotask)(Ot)}function Ot(){try{for(var e,t=1;ne.length;)ne.length>t&&ne.sort(Et),e=ne.shift(),t=ne.length,8&e.__g&&Un(e)}finally{(Le=ne.length)&&(Ge||queueMicrotask)(Ot)}}function Lt(e,t,n,s,a,o,r,i,u,p,c){var f,$,d,h,m,b,v=s.__k||Ae,y=t.length;for(u=Fn(n,t,v,u,y),f=0;f<y;f++)(d=n.__k[f])!=null&&($=~d.__i&&v[d.__i]||Te,d.__i=f,b=Qe(e,d,$,a,o,r,i,u,p,c),h=d.__e,($.ref!=d.ref||8&$.__u)&&($.ref&&et($.ref,null,d,$),d.ref&&c.push(d.ref,d.__c||h,d)),m=m||h,4&d.__u?(u=Tt(d,u,e,!$.__v),$.__e&&($.__e=null)):typeof d.type=="function"&&b!==void 0?u=b:h&&(u=h.nextSibling),d.__u&=-21);return n.__e=m,u}function Fn(e,t,n,s,a){var o,r,i,u,p,c,f,$,d,h=n.length,m=h,b=0,v=0,y=e.__k=Array(a);for(o=0;o<a;o++)(r=t[o])!=null&&typeof r!="boolean"&&typeof r!="function"?(typeof r!="object"||r.constructor===String?r=y[o]=_e(null,r):Ye(r)?r=y[o]=_e(Ie,{children:r}):r.constructor===ge&&r.__b?r=y[o]=_e(r.type,r.props,r.key,r.ref,r.__v):y[o]=r,u=o+b,r.__=e,r.__b=e.__b+1,i=null,~(p=r.__i=Wn(r,n,u,m))&&(m--,(i=n[p])&&(i.__u|=2)),i&&i.__v?(r.__u|=16,p==u-1?b--:p==u+1?b++:p!=u&&(p>u?b--:b++,v=1)):(~p||(a>h?b--:a<h&&b++),typeof r.type!="function"&&(r.__u|=4))):y[o]=null;if(v){for(c=[],f=[],o=0;o<a;o++)if((r=y[o])&&16&r.__u){for(b=0,$=c.length;b<$;)c[d=b+$>>1]<r.__i?b=d+1:$=d;c[b]=r.__i,f[o]=b+1}for(b=c.length;o--;)f[o]&&(f[o]==b?b--:y[o].__u|=4)}if(m)for(o=0;o<h;o++)!(i=n[o])||2&i.__u||(i.__e==s&&(s=se(i)),tt(i,i));return s}function Tt(e,t,n,s){var a,o,r,i;if(typeof e.type=="function"){if(e.props.__P)return t;if(a=e.__k)for(o=0;o<a.length;o++)a[o]&&(a[o].__=e,t=Tt(a[o],t,n,!1));return t}for(t&&!t.parentNode&&(t=se(e))&&!t.parentNode&&(t=null),r=e.__e,i=t;i&&i.nodeType==8;)i=i.nextSibling;for(r!=i&&(!s&&n.moveBefore&&r.parentNode?n.moveBefore(r,t):n.insertBefore(r,t||null)),t=r;(t=t&&t.nextSibling)&&t.nodeType==8&&!t.data.startsWith("$s"););return t}function Wn(e,t,n,s){var a,o=e.key,r=e.type,i=t[n],u=i&&!(2&i.__u);if(i===null&&o==null||u&&o==i.key&&r==i.type)return n;if(s>(u?1:0)){for(a=n-1;a>=0;a--)if((i=t[a])&&!(2&i.__u)&&o==i.key&&r==i.type)return a;for(a=n+1;a<t.length;a++)if((i=t[a])&&!(2&i.__u)&&o==i.key&&r==i.type)return a}return-1}function St(e,t,n){n==null&&(n=""),t[0]=="-"?e.setProperty(t,n):e[t]=n}function Me(e,t,n,s,a){var o,r;if(t=="style")if(typeof n=="string")e.style.cssText=n;else{if(typeof s=="string"&&(e.style.cssText=s=""),s)for(t in s)n&&t in n||St(e.style,t);if(n)for(t in n)s&&n[t]==s[t]||St(e.style,t,n[t])}else if(t[0]=="o"&&t[1]=="n")typeof n!="function"&&(n=null),typeof s!="function"&&(s=null),(e.__e||(e.__e={}))[t]=n,n&&s||(r=Je[t]||(Je[t]=qn(t)),(e.__a||(e.__a={}))[t]=Xe,o=t!=(t=t.replace(Mt,"$1")),(t=t.slice(2))[0]<"a"&&(t=t.toLowerCase()),n?e.addEventListener(t,r,o):e.removeEventListener(t,r,o));else{if(a=="http://www.w3.org/2000/svg")t=t.replace(/xlink(H|:h)/,"h").replace(/sName$/,"s");else if(t!="width"&&t!="height"&&t!="href"&&t!="list"&&t!="form"&&t!="tabIndex"&&t!="download"&&t!="rowSpan"&&t!="colSpan"&&t!="role"&&t!="popover"&&t in e)try{return void(e[t]=n??"")}catch{}if(typeof n=="function")return;n==null||n===!1&&t[4]!="-"?e.removeAttribute(t):e.setAttribute(t,t=="popover"&&n==1?"":n)}}function qn(e){return function(t){var n=this.__e;if(n){if(n=n[e],t[Pe]==null)t[Pe]=Xe++;else if(t[Pe]<this.__a[e])return;return n(E.event?E.event(t):t)}}}function Qe(e,t,n,s,a,o,r,i,u,p){var c,f,$,d,h,m,b,v,y,g,w,_,x,P,N,D,k,H,X=t.type;if(t.constructor!==ge)return null;128&n.__u&&(u=32&n.__u,c=n.__c.__z)&&(t.__u|=u,f=o=[],c.nodeType==8?i=Oe(c,o):o.push(c),i=o[0]||i),(c=E.__b)&&c(t);e:if(typeof X=="function"){$=r.length;try{if(v=t.props,y=(c=X.prototype)&&c.render,g=(c=X.contextType)&&s[c.__c],w=c?g?g.props.value:c.__:s,(d=n.__c)?(t.__c=d,2&d.__g&&(d.__g|=1)):(y?t.__c=d=new X(v,w):(t.__c=d=new Ne(v,w),d.constructor=X,d.render=Kn),g&&g.sub(d),d.state||(d.state={}),d.__n=s,d.__g|=8,d.__h=[],d.__k=[]),y&&(d.__s||(d.__s=d.state),X.getDerivedStateFromProps&&(d.__s==d.state&&(d.__s=ce({},d.__s)),ce(d.__s,X.getDerivedStateFromProps(v,d.__s)))),h=d.props,m=d.state,d.__v=t,n.__c){if(v!==h&&y&&!X.getDerivedStateFromProps&&d.componentWillReceiveProps&&d.componentWillReceiveProps(v,w),t.__v==n.__v&&!(8&d.__g)||!(4&d.__g)&&d.shouldComponentUpdate&&d.shouldComponentUpdate(v,d.__s,w)===!1){t.__v!=n.__v&&(d.props=v,d.state=d.__s,d.__g&=-9),t.__e=n.__e,t.__k=n.__k,t.__k.some(function(z){z&&(z.__=t)}),Ae.push.apply(d.__h,d.__k),d.__k=[],d.__h.length&&r.push(d),i=se(n);break e}d.componentWillUpdate&&d.componentWillUpdate(v,d.__s,w),y&&d.componentDidUpdate&&d.__h.push(function(){d.componentDidUpdate(h,m,b)})}else y&&!X.getDerivedStateFromProps&&d.componentWillMount&&d.componentWillMount(),y&&d.componentDidMount&&d.__h.push(d.componentDidMount);d.context=w,d.props=v,d.__P=e,d.__g&=-5,_=E.__r,x=y?25:0;do d.__g&=-9,_&&_(t),c=d.render(d.props,d.state=d.__s,d.context);while(8&d.__g&&++x<25);y&&(Ae.push.apply(d.__h,d.__k),d.__k=[]),d.state=d.__s,d.getChildContext&&(s=ce({},s,d.getChildContext())),y&&n.__c&&d.getSnapshotBeforeUpdate&&(b=d.getSnapshotBeforeUpdate(h,m)),P=c&&c.type===Ie&&c.key==null?c.props.children:c,v.__P&&(c=i,a=(e=v.__P).namespaceURI,u=o=null,n.props&&n.props.__P!=e&&(n.__k.some(function(z){z&&tt(z,z)}),n.__k=null),i=n.__k?se(n,0):null),i=Lt(e,Ye(P)?P:[P],t,n,s,a,o,r,i,u,p),v.__P&&(t.__e=null,i=c),t.__u&=-161,f&&f.some(le),d.__h.length&&r.push(d),1&d.__g&&(d.__g&=-4)}catch(z){if(r.length=$,t.__v=null,u||o)if(z&&z.then){if(t.__u|=128|u,o){for(~(k=o.indexOf(i||void 0))||(k=o.length);(H=o[k-1])&&H.nodeType==8;)k--;for(;k<o.length;k++)if(H=o[k])if(o[k]=null,N){if(H==D)break}else{if(H.nodeType!=8)break;H.data.startsWith("$s")&&(D=Oe(N=H))}}if(!N){for(;i&&i.nodeType==8&&i.nextSibling;)i=i.nextSibling;N=i}(c=Oe(N=t.__c.__z||(t.__c.__z=N)))?(t.__e=N,i=c):t.__e=i,i=i&&i.nextSibling}else o&&o.some(le);else t.__e=n.__e;t.__k||(t.__k=n.__k||[]),z&&z.then||At(t),E.__e(z,t,n)}}else i=t.__e=zn(n.__e,t,n,s,a,o,r,u,p,e);return(c=E.diffed)&&c(t),i}function Oe(e,t){if(e&&e.nodeType==8&&e.data.startsWith("$s"))for(var n=1;e=e.nextSibling;){if(e.nodeType==8){if(e.data.startsWith("$s"))n++;else if(e.data.startsWith("/$s")&&!--n)return e}t&&t.push(e)}}function At(e){e&&(e.__c&&(e.__c.__g|=4),e.__k&&e.__k.some(At))}function It(e,t,n){for(var s=0;s<n.length;)et(n[s++],n[s++],n[s++]);E.__c&&E.__c(t,e),e.some(function(a){try{e=a.__h,a.__h=[],e.some(function(o){o.call(a)})}catch(o){E.__e(o,a.__v)}})}function zn(e,t,n,s,a,o,r,i,u,p){var c,f,$,d,h,m,b,v,y=n.props||Te,g=t.props,w=t.type;if(w=="svg"?a="http://www.w3.org/2000/svg":w=="math"?a="http://www.w3.org/1998/Math/MathML":a||(a="http://www.w3.org/1999/xhtml"),o){for(c=0;c<o.length;c++)if((h=o[c])&&(w?h.localName==w:h.nodeType==3)){e=h,o[c]=null;break}}if(!e){if(v=p.ownerDocument||document,!w)return v.createTextNode(g);e=v.createElementNS(a,w,g.is?g:p),i&&(E.__m&&E.__m(t,o),i=!1),o=null}if(w){if(p=w=="template"&&e.content||e,o=w=="textarea"&&g.defaultValue!=null?null:o&&Ze.call(p.childNodes),!i&&o)for(y={},c=0;c<e.attributes.length;c++)y[(h=e.attributes[c]).name]=h.value;for(c in y)h=y[c],c=="dangerouslySetInnerHTML"?$=h:c=="children"||c in g||c=="value"&&"defaultValue"in g||c=="checked"&&"defaultChecked"in g||Me(e,c,null,h,a);for(c in g)h=g[c],c=="children"?d=h:c=="dangerouslySetInnerHTML"?f=h:c=="value"?m=h:c=="checked"?b=h:i&&typeof h!="function"||y[c]===h||Me(e,c,h,y[c],a);f?(i||$&&(f.__html==$.__html||f.__html==e.innerHTML)||(e.innerHTML=f.__html),t.__k=[]):($&&(e.textContent=""),(w=="foreignObject"||a=="http://www.w3.org/1998/Math/MathML"&&Hn.test(w))&&(a="http://www.w3.org/1999/xhtml"),Lt(p,Ye(d)?d:[d],t,n,s,a,o,r,o?o[0]:n.__k&&se(n,0),i,u),o&&o.some(le)),i&&w!="textarea"||(c="value",w=="progress"&&m==null?e.removeAttribute(c):m==null||m===e[c]&&(w!="progress"||m)||Me(e,c,m,y[c],a),c="checked",b!=null&&b!=e[c]&&Me(e,c,b,y[c],a))}else y===g||i&&e.data==g||(e.data=g);return e}function et(e,t,n,s){try{typeof e=="function"?t?t.__x=e(t)||1:s&&(s=s.__c||s.__e)&&(t=s.__x)&&(s.__x=null,typeof t=="function"?t():e(null)):e.current=t}catch(a){E.__e(a,n)}}function tt(e,t,n){var s,a,o,r;if(E.unmount&&E.unmount(e),!(s=e.ref)||s.current&&s.current!=e.__e||et(s,null,t,e),s=e.__c){if(s.componentWillUnmount)try{s.componentWillUnmount()}catch(i){E.__e(i,t)}s.__P=s.__n=null}if(s=e.__k)for(r=0;r<s.length;r++)s[r]&&tt(s[r],t,typeof e.type!="function"||n&&!e.props.__P);!n&&(s=e.__c)&&(s=s.__z)&&(a=Oe(s,o=[]))&&(s==e.__e&&o.some(le),le(a),le(s)),n||le(e.__e),e.__e=e.__c=e.__=null}function Kn(e,t,n){return this.constructor(e,n)}function q(e,t){var n,s,a,o;E.__&&E.__(e,t),t.nodeType==9&&(t=t.documentElement),s=(n=e&&32&e.__u)?null:t.__k,t.__k=_e(Ie,{children:[e]}),a=[],o=[],Qe(t,t.__k,s||Te,Te,t.namespaceURI,s?null:t.firstChild?Ze.call(t.childNodes):null,a,s?s.__e:t.firstChild,n,o),It(a,t.__k,o),t.__k.props.children=null}E={__e:function(e,t,n,s){for(var a,o,r;t=t.__;)if((a=t.__c)&&!(1&a.__g)){a.__g|=4;try{if((r=(o=a.constructor)&&o.getDerivedStateFromError)&&a.setState(o.getDerivedStateFromError(e)),a.componentDidCatch&&(a.componentDidCatch(e,s||{}),r=1),r&&8&a.__g)return void(a.__g|=2)}catch(i){e=i}}throw Le=0,e}},Ct=0,Bn=function(e){return e!=null&&e.constructor===ge},Ne.prototype.setState=function(e,t){var n=this.__s;n&&n!=this.state||(n=this.__s=ce({},this.state)),typeof e=="function"&&(e=e(ce({},n),this.props)),e&&(ce(n,e),this.__v&&(t&&this.__k.push(t),kt(this)))},Ne.prototype.forceUpdate=function(e){this.__v&&(this.__g|=4,e&&this.__h.push(e),kt(this))},Ne.prototype.render=Ie,ne=[],Le=0,Et=function(e,t){return e.__v.__b-t.__v.__b},Pe=Symbol(),Mt=/(PointerCapture)$|Capture$/i,Xe=0,Je={},jn=0;var $e,A,nt,Rt,st=Object.is,Re=0,zt=[],ot=[],L=E,Dt=L.__b,Bt=L.__r,jt=L.diffed,Ht=L.__c,Ut=L.unmount,Ft=L.__;function De(e,t){L.__h&&L.__h(A,e,Re||t),Re=0;var n=A.__H||(A.__H={__:[],__h:[]});return e>=n.__.length&&n.__.push({}),n.__[e]}function T(e){return Re=1,Vn(Vt,e)}function Vn(e,t,n){var s=De($e++,2);if(s.t=e,!s.__c&&(s.__=[n?n(t):Vt(void 0,t),function(o){var r=(s.__N||s.__)[0],i=s.t(r,o);st(r,i)||(s.__N=[i,s.__[1]],s.__c.setState({}))}],s.__c=A,!A.__f)){A.__f=!0;var a=A.shouldComponentUpdate;A.shouldComponentUpdate=function(o,r,i){var u=this.__H;if(!u)return!0;var p=!1,c=this.props!=o;if(u.__.some(function($){$.__N&&(p=!0,st($.__[0],$.__N[0])||(c=!0))}),a){var f=a.call(this,o,r,i);return p?f||c:f}return!p||c}}return s.__}function O(e,t){var n=De($e++,3);!L.__s&&rt(n.__H,t)&&(n.__P=!0,n.__=e,n.u=t,A.__H.__h.push(n))}function Kt(e,t){var n=De($e++,4);!L.__s&&rt(n.__H,t)&&(n.__P=!1,n.__=e,n.u=t,A.__h.push(n))}function U(e){return Re=5,oe(function(){return{current:e}},[])}function oe(e,t){var n=De($e++,7);return rt(n.__H,t)&&(n.__=e(),n.__H=t),n.__}function Gn(){var e;do{for(;e=ot.shift();)try{be(e)}catch(n){L.__e(n,{__:(e=e.__P)&&e.__v})}for(;e=zt.shift();){var t=e.__H;if(e.__P&&t)try{t.__h.some(be),t.__h.some(at),t.__h=[]}catch(n){t.__h=[],L.__e(n,e.__v)}}}while(ot.length)}L.__b=function(e){A=null,Dt&&Dt(e)},L.__=function(e,t){e&&t.__k&&t.__k.__m&&(e.__m=t.__k.__m),Ft&&Ft(e,t)},L.__r=function(e){Bt&&Bt(e),$e=0;var t=(A=e.__c).__H;t&&(nt==A?A.__h=[]:(t.__h.some(be),t.__h.some(at),$e=0),t.__h=[],t.__.some(function(n){n.__N&&(n.__=n.__N),n.u=n.__N=void 0})),nt=A},L.diffed=function(e){jt&&jt(e);var t=e.__c;t&&t.__H&&(t.__H.__h.length&&qt(zt.push(t)),t.__H.__.some(function(n){n.u&&(n.__H=n.u)})),nt=A=null},L.__c=function(e,t){t.some(function(n){try{n.__h.some(be),n.__h=n.__h.filter(function(s){return!s.__||at(s)})}catch(s){n.__h=[function(){throw s}]}}),Ht&&Ht(e,t)},L.unmount=function(e){Ut&&Ut(e);var t,n,s=e.__c;s&&s.__H&&(s.__H.__.some(function(a){try{if(a.__P&&a.__c){if(n===void 0){for(n=e.__;n&&(!n.__c||!n.__c.__P);)n=n.__;n=n&&n.__c}a.__P=n,qt(ot.push(a))}else be(a)}catch(o){t=o}}),s.__H=void 0,t&&L.__e(t,s.__v))};var Wt=typeof requestAnimationFrame=="function";function Jn(e){var t,n=function(){clearTimeout(s),Wt&&cancelAnimationFrame(t),setTimeout(e)},s=setTimeout(n,35);Wt&&(t=requestAnimationFrame(n))}function qt(e){e!=1&&Rt==L.requestAnimationFrame||((Rt=L.requestAnimationFrame)||Jn)(Gn)}function be(e){var t=A,n=e.__c;typeof n=="function"&&(e.__c=void 0,n()),A=t}function at(e){var t=A;e.__c=e.__(),A=t}function rt(e,t){return!e||e.length!=t.length||t.some(function(n,s){return!st(n,e[s])})}function Vt(e,t){return typeof t=="function"?t(e):t}var Jt=function(e,t,n,s){var a;t[0]=0;for(var o=1;o<t.length;o++){var r=t[o++],i=t[o]?(t[0]|=r?1:2,n[t[o++]]):t[++o];r===3?s[0]=i:r===4?s[1]=Object.assign(s[1]||{},i):r===5?(s[1]=s[1]||{})[t[++o]]=i:r===6?s[1][t[++o]]+=i+"":r?(a=e.apply(i,Jt(e,i,n,["",null])),s.push(a),i[0]?t[0]|=2:(t[o-2]=0,t[o]=a)):s.push(i)}return s},Gt=new Map;function Xt(e){var t=Gt.get(this);return t||(t=new Map,Gt.set(this,t)),(t=Jt(this,t.get(e)||(t.set(e,t=(function(n){for(var s,a,o=1,r="",i="",u=[0],p=function($){o===1&&($||(r=r.replace(/^\s*\n\s*|\s*\n\s*$/g,"")))?u.push(0,$,r):o===3&&($||r)?(u.push(3,$,r),o=2):o===2&&r==="..."&&$?u.push(4,$,0):o===2&&r&&!$?u.push(5,0,!0,r):o>=5&&((r||!$&&o===5)&&(u.push(o,0,r,a),o=6),$&&(u.push(o,$,0,a),o=6)),r=""},c=0;c<n.length;c++){c&&(o===1&&p(),p(c));for(var f=0;f<n[c].length;f++)s=n[c][f],o===1?s==="<"?(p(),u=[u],o=3):r+=s:o===4?r==="--"&&s===">"?(o=1,r=""):r=s+r[0]:i?s===i?i="":r+=s:s==='"'||s==="'"?i=s:s===">"?(p(),o=1):o&&(s==="="?(o=5,a=r,r=""):s==="/"&&(o<5||n[c][f+1]===">")?(p(),o===3&&(u=u[0]),o=u,(u=u[0]).push(2,0,o),o=0):s===" "||s==="	"||s===`
`||s==="\r"?(p(),o=2):r+=s),o===3&&r==="!--"&&(o=4,u=u[0])}return p(),u})(e)),t),arguments,[])).length>1?t:t[0]}var l=Xt.bind(Pt);var ae=window.convvizShared??={chunks:new Map,received:new Map};window.convvizChunk=(e,t)=>ae.received.set(e,t);var ve=document.documentElement.dataset.root??"",I=e=>e.startsWith("data:image/")?e:ve+e.split("/").map(encodeURIComponent).join("/");function B(e){if(!ae.chunks.has(e)){let t=new Promise((n,s)=>{let a=document.createElement("script");a.src=I(`data/${e}.js`);let o=()=>{ae.chunks.delete(e),s(new Error(`data/${e}.js cannot be read`))};a.onerror=o,a.onload=()=>{if(a.remove(),!ae.received.has(e))return o();n(ae.received.get(e)),ae.received.delete(e)},document.head.append(a)});ae.chunks.set(e,t)}return ae.chunks.get(e)}var de=()=>B("site");function K(e,t){let[n,s]=T({});return Kt(()=>{let a=!0;return e().then(o=>a&&s({value:o}),o=>a&&s({error:o})),()=>a=!1},t),[n.value,n.error]}var re=()=>Object.fromEntries(new URLSearchParams(location.hash.slice(1)));function Be(e){let t=new URLSearchParams(location.hash.slice(1));for(let[n,s]of Object.entries(e))s==null||s===""?t.delete(n):t.set(n,s);return`#${t}`}function C(e,{replace:t=!1}={}){let n=Be(e);n===location.hash||n==="#"&&!location.hash||(history[t?"replaceState":"pushState"](null,"",n),window.dispatchEvent(new Event("convviz:state")))}function ye(e){let t=["convviz:state","hashchange","popstate"];for(let n of t)window.addEventListener(n,e);return()=>t.forEach(n=>window.removeEventListener(n,e))}function W(){let[e,t]=T(re);return O(()=>ye(()=>t(re())),[]),e}var Xn="input:not([type=checkbox]):not([type=radio]), textarea, select";function J(e){O(()=>{let t=n=>{if(n.ctrlKey||n.metaKey||n.altKey||n.target.matches?.(Xn))return;let s=e[n.key];s&&(n.preventDefault(),s(n))};return document.addEventListener("keydown",t),()=>document.removeEventListener("keydown",t)})}async function Y(e){let{block:t}=await de(),n=Math.floor(e/t),s=await B(`items-${String(n).padStart(3,"0")}`);return it(s,e)}function it(e,t){let n=t-e.start,s=a=>a?.[n]??null;return{row:t,name:e.names[n],label:s(e.labels),predicted:s(e.predicted),probability:s(e.probability),correct:s(e.correct),second:{predicted:s(e.second_predicted),probability:s(e.second_probability),correct:s(e.second_correct)},size:s(e.sizes),preview:s(e.previews),thumb:e.thumbs&&{...e.thumbs,index:n}}}function we({tile:e,size:t,label:n="",className:s=""}){if(!e)return l`<span class="tile missing ${s}" style=${{width:ue(t),height:ue(t)}}></span>`;let a=t/e.tile,o=e.index%e.columns*t,r=Math.floor(e.index/e.columns)*t,i={width:ue(t),height:ue(t),backgroundImage:`url("${I(e.atlas)}")`,backgroundPosition:`-${ue(o)} -${ue(r)}`,backgroundSize:`${ue(e.columns*e.tile*a)} auto`};return l`<span class="tile ${s}" style=${i} ...${n?{role:"img","aria-label":n}:{"aria-hidden":"true"}}></span>`}var je=e=>`${I("image.html")}#id=${e}`,ue=e=>`${Math.round(e*1e3)/1e3}px`;function S(e,t=3){return e==null||Number.isNaN(e)?"–":e!==0&&(Math.abs(e)>=1e6||Math.abs(e)<.001)?e.toExponential(t-1):String(Number(e.toPrecision(t)))}function F(e){if(e==null)return"–";let t=e*100;return t===0||t===100?`${t} %`:`${t<10?Number(t.toPrecision(t<1?1:2)):Math.min(99.9,Number(t.toFixed(1)))} %`}var M=e=>String(e).replace(/\B(?=(\d{3})+(?!\d))/g," ");async function Yn(e){try{await navigator.clipboard.writeText(e)}catch{let t=document.createElement("textarea");t.value=e,t.className="offscreen",document.body.append(t),t.select(),document.execCommand("copy"),t.remove()}}function V({text:e,children:t}){let[n,s]=T(!1);return l`<button type="button" class="quiet" onClick=${async()=>{await Yn(typeof e=="function"?e():e),s(!0),setTimeout(()=>s(!1),1500)}}>
    ${n?"Copied":t}<span class="offscreen" aria-live="polite">${n?"copied":""}</span>
  </button>`}function lt(e,t,n){let s=document.createElement("a");s.href=URL.createObjectURL(new Blob([t],{type:n})),s.download=e,s.click(),setTimeout(()=>URL.revokeObjectURL(s.href),1e3)}function Yt(e,t){let n=s=>{if(s==null)return"";if(typeof s=="number")return String(s);let a=/^[=+\-@\t\r]/.test(String(s))?`'${s}`:String(s);return/[",\n\r]/.test(a)?`"${a.replaceAll('"','""')}"`:a};return[e,...t].map(s=>s.map(n).join(",")).join(`\r
`)+`\r
`}var j=({error:e})=>l`<p class="problem" role="alert">${e.message}.</p>`;function Zn(){for(let e of document.querySelectorAll(".top nav [aria-current], .layers [aria-current]")){let[t,n]=[e.parentElement,e.getBoundingClientRect()],{left:s,right:a}=t.getBoundingClientRect();(n.left<s||n.right>a)&&(t.scrollLeft+=(n.left+n.right-s-a)/2)}}var R=()=>{document.body.dataset.ready!=="true"&&Zn(),document.body.dataset.ready="true"};var Qn=e=>{let t=e.dataset.value??e.textContent.trim(),n=Number(t);return t!==""&&Number.isFinite(n)?n:t},es=e=>[...e.cells].filter(t=>!t.classList.contains("number")).map(t=>t.textContent.toLowerCase()).join(" ");function ts(e,t,n){return e===""||t===""?(e==="")-(t===""):typeof e=="number"&&typeof t=="number"?n*(e-t):n*String(e).localeCompare(String(t),void 0,{numeric:!0})}function ns(e){let t=e.dataset.state,n=e.tBodies[0],s=[...n.rows],a=[...e.tHead.rows[0].cells],o=document.createElement("input"),r=document.createElement("span");for(let p of a){let c=document.createElement("button");c.type="button",c.className="sort",c.append(...p.childNodes),p.append(c),c.addEventListener("click",()=>{let f=p.getAttribute("aria-sort")==="descending",$=p.classList.contains("number"),h=!p.hasAttribute("aria-sort")?$?"down":"up":f?"up":"down";C({[`${t}-sort`]:`${p.dataset.key}-${h}`},{replace:!0})})}o.type="search",o.placeholder=e.dataset.filter,o.setAttribute("aria-label",e.dataset.filter),o.addEventListener("input",()=>C({[`${t}-filter`]:o.value},{replace:!0})),r.className="note",r.setAttribute("aria-live","polite");let i=document.createElement("div");i.className="bar-of-controls",i.append(o,r),e.parentElement.before(i);let u=()=>{let p=re(),[,c,f]=/^(.*)-(up|down)$/.exec(p[`${t}-sort`]??"")??[],$=a.findIndex(b=>b.dataset.key===c);a.forEach((b,v)=>{v===$?b.setAttribute("aria-sort",f==="up"?"ascending":"descending"):b.removeAttribute("aria-sort")});let d=(p[`${t}-filter`]??"").toLowerCase();document.activeElement!==o&&(o.value=p[`${t}-filter`]??"");let m=($<0?s:s.map(b=>[Qn(b.cells[$]),b]).sort((b,v)=>ts(b[0],v[0],f==="up"?1:-1)).map(([,b])=>b)).filter(b=>es(b).includes(d));n.replaceChildren(...m),r.textContent=d?`${m.length} of ${s.length}`:""};u(),ye(u)}var He=()=>document.querySelectorAll("table.sortable").forEach(ns);var pe=560,ss=7,os=12,Zt=(e,t)=>`images.html#${new URLSearchParams({class:e,predicted:t})}`;function as(e,t){return(n,s)=>{let a=null,o=ss;for(let r of e){let i=Math.max(Math.abs((r[1]+.5)*t-n),Math.abs((r[0]+.5)*t-s))-t/2;(i<o||i===o&&r[2]>a[2])&&([a,o]=[r,i])}return a}}function rs(e,t,n){let s=window.devicePixelRatio||1;e.width=e.height=pe*s;let a=e.getContext("2d"),o=getComputedStyle(e),[r,i,u]=["--right","--wrong","--line"].map($=>o.getPropertyValue($)),p=pe/t.length,c=n.reduce(($,d)=>Math.max($,d[2]),1);a.scale(s,s),a.strokeStyle=u,a.beginPath(),a.moveTo(0,0),a.lineTo(pe,pe),a.stroke();let f=Math.max(p,3);for(let[$,d,h]of n)a.globalAlpha=.35+.65*Math.sqrt(h/c),a.fillStyle=$===d?r:i,a.fillRect((d+.5)*p-f/2,($+.5)*p-f/2,f,f)}function is(e,t){let n=new Array(e.length).fill(0);for(let[s,a,o]of t)s!==a&&(n[s]+=o);return n.indexOf(Math.max(...n))}function ls({names:e,cells:t,name:n}){let s=e.indexOf(n);if(s<0)return n?l`<p class="note">No class has this name.</p>`:null;let a=(r,i)=>{let u=r.sort((p,c)=>c[2]-p[2]);return l`<div>
      <h4>${i}</h4>
      ${u.length===0&&l`<p class="note">none</p>`}
      <ul>
        ${u.slice(0,os).map(([p,c,f])=>l`<li key=${`${p}-${c}`}>
          <a href=${Zt(e[p],e[c])}>${e[p===s?c:p]}</a> ${f}
        </li>`)}
      </ul>
    </div>`},o=t.filter(r=>r[0]!==r[1]);return l`<div class="class-confusions">
    ${a(o.filter(r=>r[0]===s),"Its images predicted as another class")}
    ${a(o.filter(r=>r[1]===s),"Images of other classes predicted as it")}
  </div>`}function cs({name:e}){let[t,n]=K(()=>B(e),[e]),s=U(),[a,o]=T(null),{confusions:r}=W();if(O(()=>{if(!t)return;let h=()=>rs(s.current,t.names,t.cells),m=window.matchMedia("(prefers-color-scheme: dark)");return h(),m.addEventListener("change",h),()=>m.removeEventListener("change",h)},[t]),n)return l`<${j} error=${n} />`;if(!t)return l`<p class="note">The matrix is loading …</p>`;let{names:i,cells:u}=t,p=as(u,pe/i.length),c=r??i[is(i,u)],f=h=>{let m=s.current.getBoundingClientRect();return p((h.clientX-m.left)/m.width*pe,(h.clientY-m.top)/m.height*pe)},$=h=>{let m=f(h);m&&(location.href=Zt(i[m[0]],i[m[1]]))},d=a?`${i[a[0]]}, predicted as ${i[a[1]]}: ${a[2]} ${a[2]===1?"image":"images"}`:"Point at a cell to read it; click it to see its images.";return l`<h3>All ${i.length} classes</h3>
    <div class="columns">
      <figure class="whole">
        <canvas ref=${s} class=${a?"pointing":""} role="img"
          aria-label="Confusion matrix of all classes; the field beside it lists the confusions of a class"
          onPointerMove=${h=>o(f(h))} onPointerLeave=${()=>o(null)} onClick=${$}></canvas>
        <figcaption>${d}</figcaption>
      </figure>
      <div>
        <label class="field">Confusions of a class
          <input type="search" list="confused-classes" value=${c}
            onInput=${h=>C({confusions:h.target.value},{replace:!0})} />
        </label>
        <datalist id="confused-classes">${i.map(h=>l`<option value=${h} />`)}</datalist>
        <${ls} names=${i} cells=${u} name=${c} />
      </div>
    </div>`}function Qt(){He();let e=document.getElementById("full-matrix");e&&q(l`<${cs} name=${e.dataset.chunk} />`,e),R()}var xe=254,us=255,en=/ \([\w ]+ -?[\d.]+\)/,nn="convviz-maps",ds={opacity:.65,smooth:!0,shared:!1},ut=e=>Uint8Array.from(atob(e),t=>t.charCodeAt(0));function ps(){try{return JSON.parse(localStorage.getItem(nn))??{}}catch{return{}}}function fs(e){try{localStorage.setItem(nn,JSON.stringify(e))}catch{}}var sn=(e,t)=>t===us?null:e.low+t/xe*(e.high-e.low);function hs(e,t,n,[s,a]){let o=new ImageData(e.width,e.height);for(let r=0;r<t.length;r++){let i=sn(e,t[r]);if(i===null)continue;let u=Math.min(1,Math.max(0,(i-s)/(a-s||1))),p=3*Math.round(u*xe);o.data.set([n[p],n[p+1],n[p+2],255],4*r)}return o}function $s({palette:e,range:t,unit:n,isSigned:s}){let a=U();O(()=>{let u=a.current.getContext("2d"),p=new ImageData(xe+1,1);for(let c=0;c<=xe;c++)p.data.set([...e.subarray(3*c,3*c+3),255],4*c);u.putImageData(p,0,0)},[e]);let[o,r]=t,i=s?`red: ${n||"value"} above zero, blue: below zero`:`${n||"value"}; bright is high`;return l`<div class="colour-bar">
    <canvas ref=${a} width=${xe+1} height="1" aria-hidden="true"></canvas>
    <span class="ends"><span>${S(o)}</span>${s&&l`<span>0</span>`}<span>${S(r)}</span></span>
    <span class="muted small">${i}</span>
  </div>`}var on=16,ct={factor:1,x:.5,y:.5};function Ue(e,t,n){let s=Math.min(on,Math.max(1,e)),a=.5/s,o=r=>Math.min(1-a,Math.max(a,r));return{factor:s,x:o(t),y:o(n)}}function tn(e,{factor:t,x:n,y:s}){let a=e.currentTarget.getBoundingClientRect();return[n+((e.clientX-a.left)/a.width-.5)/t,s+((e.clientY-a.top)/a.height-.5)/t]}function ms({panel:e,title:t,palette:n,range:s,choices:a,cross:o,setCross:r,zoom:i,setZoom:u,isBare:p}){let c=U(),f=U(null),$=oe(()=>e.values&&ut(e.values),[e]);O(()=>{$&&c.current.getContext("2d").putImageData(hs(e,$,n,s),0,0)},[$,n,s[0],s[1]]);let d=p?0:e.view&&!e.picture?a.opacity:1,h=_=>{f.current={x:_.clientX,y:_.clientY,zoom:i,isMoved:!1},_.currentTarget.setPointerCapture(_.pointerId)},m=_=>{r(tn(_,i));let x=f.current;if(!x)return;let P=_.currentTarget.getBoundingClientRect(),[N,D]=[(_.clientX-x.x)/P.width,(_.clientY-x.y)/P.height];x.isMoved||=Math.hypot(_.clientX-x.x,_.clientY-x.y)>4,x.isMoved&&u(Ue(i.factor,x.zoom.x-N/i.factor,x.zoom.y-D/i.factor))},b=_=>{let x=f.current&&!f.current.isMoved;if(f.current=null,!x||_.button!==0)return;let[P,N]=tn(_,i);u(_.shiftKey?Ue(i.factor/2,i.x,i.y):Ue(i.factor*2,P,N))},v="";if(o&&$){let _=Math.min(e.width-1,Math.max(0,Math.floor(o[0]*e.width))),x=Math.min(e.height-1,Math.max(0,Math.floor(o[1]*e.height))),P=sn(e,$[x*e.width+_]);v=P===null?"no value":S(P)}let y=a.smooth?"":"crisp",g=(_,x)=>`${100*(.5+(_-x)*i.factor)}%`,w={transform:`translate(${100*(.5-i.x*i.factor)}%, ${100*(.5-i.y*i.factor)}%) scale(${i.factor})`};return l`<div class="map-panel ${i.factor>1?"is-zoomed":""}" onPointerDown=${h} onPointerMove=${m} onPointerUp=${b}
      onPointerCancel=${()=>f.current=null} onPointerLeave=${()=>r(null)}>
    <div class="map-layers" style=${w}>
      ${e.view&&l`<img class=${i.factor>2?"crisp":""} src=${I(e.view)} alt="" draggable=${!1} />`}
      ${e.picture?l`<img class=${`over ${y}`} src=${I(e.picture)} style=${{opacity:d}} alt=${t} />`:l`<canvas ref=${c} class=${`over ${y}`} width=${e.width} height=${e.height} style=${{opacity:d}}
            role="img" aria-label=${t}></canvas>`}
    </div>
    ${o&&l`<span class="cross" style=${{left:g(o[0],i.x),top:g(o[1],i.y)}}></span>`}
    <output class="reading">${v}</output>
  </div>`}function _s({chunk:e,nameOf:t}){if(!e.agreements.length)return null;let n=e.agreements.map(({panels:s,correlation:a,overlap:o})=>{let[r,i]=s.map(f=>e.panels[f]),u=r.row===i.row,p=[r,i].map(f=>(u?t.column(f.column):t.row(f.row)).replace(en,"")),c=(u?t.row(r.row):t.column(r.column)).replace(en,"");return{names:p,of:c,correlation:a,overlap:o}});return l`<details class="agreements" open>
    <summary>Agreement of the maps</summary>
    <div class="scroll" tabindex="0" role="group" aria-label="Agreement of the maps">
      <table>
        <thead><tr><th scope="col">maps</th><th scope="col">for</th><th scope="col" class="number">rank correlation</th>
          <th scope="col" class="number">overlap of the top 10 %</th></tr></thead>
        <tbody>${n.map(({names:s,of:a,correlation:o,overlap:r},i)=>l`<tr key=${i}>
          <th scope="row">${s[0]} – ${s[1]}</th><td>${a}</td>
          <td class="number">${o===null?"flat map":o.toFixed(2)}</td>
          <td class="number">${F(r)}</td></tr>`)}</tbody>
      </table>
    </div>
    <p class="note">Rank correlation over the pixels: 1 is the same order, 0 none. Chance gives an overlap of 10 %.
      Two signed maps are compared by value, others by magnitude.</p>
  </details>`}function gs(e,t,n){if(!n)return[t.low,t.high];let s=e.filter(a=>a.column===t.column&&a.values);return[Math.min(...s.map(a=>a.low)),Math.max(...s.map(a=>a.high))]}function bs(e){return e.map(t=>{let n=e.filter(({name:a})=>a===t.name),s=Object.entries(t.parameters).filter(([a,o])=>n.some(r=>r.parameters[a]!==o)).map(([a,o])=>`${a}=${o}`);return[t.name,t.layer,...s].filter(Boolean).join(" ")})}function vs({chunk:e,choices:t,onChoices:n,only:s,onOnly:a,keyTarget:o=document}){let[r,i]=T(null),[u,p]=T(ct),[c,f]=T(!1),$=oe(()=>({signed:ut(e.palettes.signed),plain:ut(e.palettes.plain)}),[e]),d=_=>n({...t,..._});O(()=>{let _=x=>{x.key!==" "||x.target.closest?.("input, button, select, a, textarea")||(x.preventDefault(),f(x.type==="keydown"))};return o.addEventListener("keydown",_),o.addEventListener("keyup",_),()=>{o.removeEventListener("keydown",_),o.removeEventListener("keyup",_)}},[o]);let h=_=>p(Ue(u.factor*_,...r??[u.x,u.y]));J(o===document?{"+":()=>h(2),"=":()=>h(2),"-":()=>h(.5),0:()=>p(ct)}:{});let b=new Set(e.rows.map(_=>_.model)),v={row:_=>[e.rows[_].target,b.size>1&&e.rows[_].model].filter(Boolean).join(" · "),column:_=>g[_]},y=e.columns.map((_,x)=>({..._,place:x})).filter(_=>s===void 0||_.name===s),g=bs(e.columns),w=y.length?y:e.columns.map((_,x)=>({..._,place:x}));return l`<div class="bar-of-controls">
      <label class="field">Opacity
        <input type="range" min="0" max="1" step="0.05" value=${t.opacity}
          onInput=${_=>d({opacity:Number(_.target.value)})} /></label>
      <label class="field"><input type="checkbox" checked=${t.smooth}
        onChange=${_=>d({smooth:_.target.checked})} /> smooth</label>
      ${e.rows.length>1&&l`<label class="field">Scale
        <select value=${t.shared?"shared":"own"} onChange=${_=>d({shared:_.target.value==="shared"})}>
          <option value="own">each map its own</option>
          <option value="shared">one per explainer</option>
        </select></label>`}
      <span class="zoom" role="group" aria-label="Zoom of all maps">
        <button type="button" aria-label="Zoom out (-)" disabled=${u.factor===1} onClick=${()=>h(.5)}>−</button>
        <button type="button" aria-label="Zoom in (+)" disabled=${u.factor===on} onClick=${()=>h(2)}>+</button>
        <button type="button" disabled=${u.factor===1} onClick=${()=>p(ct)}>Whole image</button>
      </span>
      ${e.columns.length>1&&l`<label class="field">Explainer
        <select value=${s??""} onChange=${_=>a(_.target.value||void 0)}>
          <option value="">all</option>
          ${[...new Set(e.columns.map(({name:_})=>_))].map(_=>l`<option value=${_}>${_}</option>`)}
        </select></label>`}
      <span class="muted small">Hold <kbd>Space</kbd> for the photo alone</span>
    </div>
    <div class="scroll" tabindex="0" role="group" aria-label="Maps by explainer and target">
      <table class="maps">
        <thead><tr><th scope="col">target</th>${w.map(_=>l`<th scope="col" key=${_.place}>
          ${g[_.place]}</th>`)}</tr></thead>
        <tbody>${e.rows.map(({target:_,model:x},P)=>l`<tr key=${P}>
          <th scope="row">${_}${b.size>1&&l` <span class="muted">${x}</span>`}</th>
          ${w.map(N=>l`<td key=${N.place}>
            ${e.panels.filter(D=>D.row===P&&D.column===N.place).map(D=>{let k=D.signed?$.signed:$.plain,H=gs(e.panels,D,t.shared);return l`<div class="map-cell">
                <${ms} panel=${D} palette=${k} range=${H} choices=${t} ...${{cross:r,setCross:i,zoom:u,setZoom:p,isBare:c}}
                  title=${`${N.name} for ${v.row(P)}`} />
                ${D.values?l`<${$s} palette=${k} range=${H} unit=${N.unit} isSigned=${D.signed} />`:l`<span class="muted small">Mid-grey is zero; colours are the channels of ${N.unit||"the map"}.</span>`}
                ${D.note&&l`<span class="muted small">${D.note}</span>`}
                ${N.notes.length>0&&l`<p class="map-note" title=${N.notes.join(" ")}>${N.notes[0]}</p>`}
              </div>`})}
          </td>`)}
        </tr>`)}</tbody>
      </table>
    </div>
    <p class="note">A click zooms in, a click with Shift out; drag to move. Keys: <kbd>+</kbd> <kbd>-</kbd> <kbd>0</kbd>.</p>
    <${_s} chunk=${e} nameOf=${v} />
    ${w.map(_=>l`<details key=${_.place} class="small">
      <summary>${g[_.place]}: parameters and notes</summary>
      ${_.notes.map(x=>l`<p class="note">${x}</p>`)}
      <dl class="facts">${Object.entries(_.parameters).map(([x,P])=>l`<div key=${x}>
        <dt>${x}</dt><dd class="plain">${P}</dd></div>`)}</dl>
    </details>`)}`}function an({name:e}){let[t,n]=K(async()=>e?B(e):null,[e]),[s,a]=T({...ds,...ps()}),{only:o}=W();if(!e)return null;let r=i=>{a(i),fs(i)};return l`<section class="card" aria-labelledby="maps-title">
    <div class="head"><h2 id="maps-title">What the scores depend on</h2></div>
    ${n&&l`<${j} error=${n} />`}
    ${t&&l`<${vs} key=${e} chunk=${t} choices=${s} onChoices=${r}
      only=${o} onOnly=${i=>C({only:i},{replace:!0})} />`}
  </section>`}function G(e,t){if(t.label===null)return[];let n=e.class_outputs?.[t.label],s=[e.classes[t.label],e.outputs[n]];return[...new Set(s.filter(a=>a!=null))]}var ke=e=>({...e,outputs:e.second?.outputs??e.outputs}),dt=(e,t)=>Z(ke(e),t),fe=e=>e.second&&` in ${e.run}`;function me(e,{predicted:t,second:n}){return[t,n.predicted].some(s=>s===null||s<0)||!e.second.comparable?null:e.second.outputs?Z(e,t)===dt(e,n.predicted):t===n.predicted}var Z=(e,t)=>t===null||t<0?"":e.outputs[t]??String(t);var ys=64,pt=e=>Math.max(...e.size)<=ys?"crisp":"";function Se({item:e,size:t}){return e?e.preview?l`<img class="square ${pt(e)}" src=${I(e.preview)} alt="" loading="lazy" width=${t} height=${t} />`:l`<${we} tile=${e.thumb} size=${t} />`:l`<${we} size=${t} />`}function ft({item:e,box:t,size:n}){if(!e.preview||!t)return null;let[s,a]=e.size,o=[Math.max(0,t[0]),Math.max(0,t[1]),Math.min(a,t[2]),Math.min(s,t[3])],r=n/Math.max(o[2]-o[0],o[3]-o[1]),i={width:`${a*r}px`,height:`${s*r}px`,left:`${n/2-(o[0]+o[2])/2*r}px`,top:`${n/2-(o[1]+o[3])/2*r}px`};return l`<span class="crop" style=${{width:`${n}px`,height:`${n}px`}}>
    <img class=${r>3?"crisp":""} src=${I(e.preview)} alt="" style=${i} /></span>`}var ws=.8,Fe=e=>`images.html#${new URLSearchParams(e)}`;function xs({item:e}){return e.preview?l`<img class="photo-large ${pt(e)}" src=${I(e.preview)} alt=${e.name}
    width=${e.size[1]} height=${e.size[0]} />`:l`<p class="photo-missing">The photo is not in this report.</p>`}function cn({item:e}){return e.correct===!0?l`<span class="badge good">✓ right prediction</span>`:e.correct===!1?l`<span class="badge bad">✗ wrong prediction</span>`:null}function un({site:e,item:t,predictions:n,index:s,isLinked:a=!0}){let o=G(e,t),r=n.names[s],i=n.rank?.[s]??-1,u=r.some(c=>o.includes(c)),p=n.label_probability?.[s];return l`<table class="predictions">
    <caption class="offscreen">Predicted classes</caption>
    <thead class="offscreen"><tr><th scope="col">class</th><th scope="col">probability</th></tr></thead>
    <tbody>
      ${r.map((c,f)=>{let $=n.probabilities[s][f];return l`<tr class=${o.includes(c)?"is-label":""}>
          <th scope="row">${a?l`<a href=${Fe({predicted:c})}>${c}</a>`:c}
            ${o.includes(c)&&l` <span class="badge">label</span>`}</th>
          <td><span class="probability"><span style=${{width:`${100*($??0)}%`}}></span></span></td>
          <td class="number">${F($)}</td>
        </tr>`})}
      ${!u&&i>=0&&l`<tr class="is-label">
        <th scope="row"><a href=${Fe({class:o[0]})}>${o.at(-1)}</a> <span class="badge">label</span>
          <span class="muted small"> rank ${i+1}</span></th>
        <td><span class="probability"><span style=${{width:`${100*(p??0)}%`}}></span></span></td>
        <td class="number">${F(p)}</td>
      </tr>`}
    </tbody>
  </table>`}function ks({site:e,item:t,details:n,index:s}){let{run:a,model:o}=e.second,{predictions:r,has:i}=n.second,u=me(e,t);return l`<section class="card" aria-labelledby="second-title">
    <div class="head"><h2 id="second-title">Predictions in ${a}</h2><span class="sub">${o}</span>
      <${cn} item=${t.second} /></div>
    ${i[s]?r?l`${u!==null&&l`<p class="note">${u?"The same class as":"Another class than"} in ${e.run}.</p>`}
          <${un} site=${ke(e)} item=${t} predictions=${r} index=${s} isLinked=${!1} />`:l`<p class="note">This run has no predictions.</p>`:l`<p class="note">This run does not have the image.</p>`}
  </section>`}function ht({site:e,item:t,title:n,rows:s,distances:a,unit:o}){let r=G(e,t),i=s.map((u,p)=>[u,a[p]]).filter(([u])=>u>=0);return l`<div class="near-row">
    <h3>${n}</h3>
    <ol class="thumbs">
      ${i.map(([u,p])=>l`<${Ss} key=${u} site=${e} row=${u} distance=${p}
        unit=${o} labels=${r} />`)}
    </ol>
  </div>`}function Ss({site:e,row:t,distance:n,unit:s,labels:a}){let[o]=K(()=>Y(t),[t]),r=o?G(e,o):[],i=a.length>0&&r[0]===a[0];return l`<li>
    <a class="image-item small" href=${je(t)}>
      <${Se} item=${o} size=${88} />
      <span class="line">${r[0]??o?.name??""}${i&&l` <span class="same" title="same class">✓<span class="offscreen"> same class</span></span>`}</span>
      <span class="line muted" title=${s}>${S(n)}</span>
    </a>
  </li>`}function Cs({site:e,item:t,neighbors:n,index:s,second:a}){let o=e.layers.filter(f=>n[f.slug]),r=W();if(o.length===0)return null;let i=o.find(({slug:f})=>f===r.near)??o.at(-1),u=n[i.slug],p=a?.has[s]&&a.neighbors[i.slug],c=u.items[s].every(f=>f<0);return l`<section class="card" aria-labelledby="near-title">
    <div class="head"><h2 id="near-title">Nearest images</h2>
      ${o.length>1&&l`<label class="field">Features of
        <select value=${i.slug} onChange=${f=>C({near:f.target.value},{replace:!0})}>
          ${o.map(({slug:f,name:$})=>l`<option value=${f}>${$}</option>`)}
        </select></label>`}
    </div>
    ${c?l`<p class="note">The features of this image cannot be compared: they are not finite, or all zero.</p>`:l`<${ht} site=${e} item=${t} title=${`in the features of ${i.name} (${u.unit})`}
          rows=${u.items[s]} distances=${u.distances[s]} unit=${u.unit} />`}
    ${p&&l`<${ht} site=${e} item=${t} title=${`in the features of ${i.name} in ${e.second.run} (${p.unit})`}
      rows=${p.items[s]} distances=${p.distances[s]} unit=${p.unit} />`}
    ${u.pixel_items&&l`<${ht} site=${e} item=${t} title="by pixels, for comparison (L2 distance)"
      rows=${u.pixel_items[s]} distances=${u.pixel_distances[s]} unit="L2 distance" />`}
  </section>`}function rn({size:[e,t]},[n,s,a,o]){return(Math.min(t,a)-Math.max(0,n))*(Math.min(e,o)-Math.max(0,s))>ws*t*e}function Es({site:e,row:t,box:n}){let[s]=K(()=>Y(t),[t]);if(!s)return l`<span class="crop empty"></span>`;let a=G(e,s)[0]??s.name;return l`<span class="other-patch" title=${s.name}>${n&&s.preview?l`<${ft} item=${s} box=${n} size=${76} />`:l`<${Se} item=${s} size=${76} />`}<span class="line muted small">${a}</span></span>`}function Ms({site:e,row:t,file:n,commands:s}){if(e.live)return l`<section class="card" aria-labelledby="hint-title"><h2 id="hint-title">Which pixels matter</h2>
      <p><a href=${`live.html#${new URLSearchParams({row:t})}`}>Explain this image in the workbench</a></p></section>`;let[a,o,r]=s,i=[a.replace("PHOTO",()=>n),o];return l`<section class="card source" aria-labelledby="hint-title">
    <h2 id="hint-title">Which pixels matter</h2>
    <p class="note">This report has no maps of this image. ${n==="PHOTO"&&l`Save it as a file PHOTO. `}These
      commands compute maps and add them to the report:</p>
    <div class="lines">${i.map(u=>l`<code>${u}</code><${V} text=${u}>Copy<//>`)}</div>
    <p class="note">Or explain images in the workbench of the browser:</p>
    <div class="lines"><code>${r}</code><${V} text=${r}>Copy<//></div>
  </section>`}function ln({site:e,item:t,units:n,index:s,run:a=null,id:o="units-title"}){let r=e.layers.filter(c=>n[c.slug]),i=W();if(r.length===0)return null;let u=r.find(({slug:c})=>c===i.layer)??r.at(-1),p=n[u.slug][s];return l`<section class="card" aria-labelledby=${o}>
    <div class="head"><h2 id=${o}>Units that it activates most${a&&` in ${a}`}</h2>
      ${r.length>1&&l`<label class="field">Layer
        <select value=${u.slug} onChange=${c=>C({layer:c.target.value},{replace:!0})}>
          ${r.map(({slug:c,name:f})=>l`<option value=${c}>${f} (${n[c][s].length})</option>`)}
        </select></label>`}
    </div>
    <p class="note">${p.length===0?`This image is among the top images of no unit of ${u.name}.`:`Units of ${u.name} that have this image among their top images, the highest ranks first. ${p.some(([,,,c])=>c&&!rn(t,c))?"Left: what the unit sees of this image; right: its best patch in another one.":"Each picture is the unit's best patch in another image."}`}</p>
    <ol class="unit-cards">
      ${p.map(([c,f,$,d,h,m])=>l`<li key=${`${c}-${f}`}>
        <a href=${`${I(u.pages.layer)}#unit=${c}`}>
          <span class="pair">${d&&!rn(t,d)&&l`<${ft} item=${t} box=${d} size=${76} />`}
            ${h!==null&&l`<${Es} key=${h} site=${e} row=${h} box=${m} />`}</span>
          <strong>unit ${c}</strong>
          <span class="muted small">rank ${f+1} · ${S($)}</span>
        </a>
      </li>`)}
    </ol>
  </section>`}function Ps({site:e,row:t,block:n,commands:s}){let a=`images/${String(Math.floor(t/n)).padStart(4,"0")}`,[o,r]=K(async()=>[await Y(t),await B(a),t],[t]),i=h=>{let m=t+h;m>=0&&m<e.count&&C({id:m})};if(J({ArrowLeft:()=>i(-1),ArrowRight:()=>i(1)}),O(()=>{(o||r)&&R(),o&&(document.title=`${o[0].name} – ${e.title}`)},[o,r]),r)return l`<${j} error=${r} />`;if(!o)return l`<p class="muted">Loading …</p>`;let[u,p,c]=o,f=c-p.start,$=G(e,u),d=e.layers.filter(h=>h.pages.map);return l`<div class="head">
      <h1>${u.name}</h1>
      <${cn} item=${u} />
      <span class="sub">image ${M(c+1)} of ${M(e.count)}</span>
      <span class="steps">
        <button type="button" disabled=${t===0} onClick=${()=>i(-1)}>← previous</button>
        <button type="button" disabled=${t===e.count-1} onClick=${()=>i(1)}>next →</button>
        <${V} text=${()=>location.href}>Copy link<//>
      </span>
    </div>
    <div class="stack">
      <div class="image-head">
        <div class="photo-frame"><${xs} item=${u} /></div>
        <div class="stack"><section class="card" aria-labelledby="predictions-title">
          <h2 id="predictions-title">Label and predictions${fe(e)}</h2>
          <dl class="facts">
            <div><dt>label</dt><dd>${$.length?l`<a href=${Fe({class:$[0]})}>${$.join(" · ")}</a>`:l`<span class="muted">none</span>`}</dd></div>
            ${u.predicted!==null&&l`<div><dt>predicted</dt><dd>
              <a href=${Fe({predicted:Z(e,u.predicted)})}>${Z(e,u.predicted)}</a>
            </dd></div>`}
            <div><dt>size</dt><dd class="plain">${u.size[1]} × ${u.size[0]}</dd></div>
          </dl>
          ${p.predictions?l`<${un} site=${e} item=${u} predictions=${p.predictions} index=${f} />`:l`<p class="note">The run has no predictions.</p>`}
          ${d.length>0&&l`<p class="links">${d.map(h=>l`<a
            href=${`${I(h.pages.map)}#id=${c}`}>Place on the map of ${h.name}</a> `)}</p>`}
        </section>
        ${p.second&&l`<${ks} site=${e} item=${u} details=${p} index=${f} />`}</div>
      </div>
      ${p.maps?.[f]?l`<${an} name=${p.maps[f]} />`:l`<${Ms} site=${e} row=${c} file=${p.files[f]} commands=${s} />`}
      <${Cs} site=${e} item=${u} neighbors=${p.neighbors} index=${f} second=${p.second} />
      <${ln} site=${e} item=${u} units=${p.units} index=${f} run=${e.second&&e.run} />
      ${p.second?.has[f]&&l`<${ln} site=${e} item=${u} units=${p.second.units} index=${f} run=${e.second.run} id="second-units-title" />`}
    </div>`}function Ns({site:e,block:t,commands:n}){let{id:s}=W(),a=Number(s??0),o=Number.isInteger(a)&&a>=0&&a<e.count;return O(()=>{o||R()},[o]),o?l`<${Ps} site=${e} row=${a} block=${t} commands=${n} />`:l`<p class="problem" role="alert">This report has images 0 to ${e.count-1}; the address asks for “${s}”.</p>`}async function dn(){let e=document.getElementById("image");try{q(l`<${Ns} site=${await de()} block=${Number(e.dataset.block)}
      commands=${JSON.parse(e.dataset.commands)} />`,e)}catch(t){q(l`<${j} error=${t} />`,e),R()}}var Ce=120,Os=new Intl.Collator(void 0,{numeric:!0}),Ls=[["","all"],["right","right"],["wrong","wrong"],["unknown","no label"]],Ts=({run:e})=>[["","all"],["same","the same"],["differs","another"],["lost",`wrong, right in ${e}`],["gained",`right, wrong in ${e}`]],pn=[["","order of the data set"],["confidence","most confident first"],["doubt","least confident first"],["name","name"],["class","class"]];function As(e){let[t,n]=T([]),[s,a]=T(null),o=Math.ceil(e.count/e.block);return O(()=>{let r=!0,i=[];return(async()=>{for(let p=0;p<o;p++){let c=await B(`items-${String(p).padStart(3,"0")}`);if(!r)return;for(let f=0;f<c.names.length;f++)i.push(it(c,c.start+f));(p===0||p===o-1||p%16===0)&&n([...i])}})().catch(p=>r&&a(p)),()=>r=!1},[e]),[t,s]}function Is(e,t,n){if(n==="lost")return t.correct===!0&&t.second.correct===!1;if(n==="gained")return t.correct===!1&&t.second.correct===!0;let s=me(e,t);return s!==null&&s===(n==="same")}function Rs(e,t){let n=(t.q??"").toLowerCase().split(/\s+/).filter(Boolean);return s=>{let a=G(e,s),o=Z(e,s.predicted);if(t.class&&!a.includes(t.class)||t.predicted&&o!==t.predicted||t.correct==="right"&&s.correct!==!0||t.correct==="wrong"&&s.correct!==!1||t.correct==="unknown"&&s.correct!==null||t.second&&e.second&&!Is(e,s,t.second))return!1;let r=`${s.name} ${a.join(" ")} ${o}`.toLowerCase();return n.every(i=>r.includes(i))}}function Ds(e,t,n){let s=(a,o=1)=>[...t].sort((r,i)=>{let[u,p]=[a(r),a(i)];return u===p?r.row-i.row:u===null||u===""?1:p===null||p===""?-1:o*(typeof u=="number"?u-p:Os.compare(u,p))});return n==="confidence"?s(a=>a.probability,-1):n==="doubt"?s(a=>a.probability):n==="name"?s(a=>a.name):n==="class"?s(a=>G(e,a)[0]??""):t}function Bs({site:e,item:t,isCurrent:n,onFocus:s}){let a=G(e,t)[0]??"",o=Z(e,t.predicted),r=me(e,t),i=dt(e,t.second.predicted),u=t.correct===!1?"wrong":t.correct===!0?"right":"",p=u==="wrong"?`✗ ${o}`:o===a?"✓":o,c=[t.name,a&&`label ${a}`,o&&`predicted ${o} ${F(t.probability)}`,u,r!==!0&&i&&`in ${e.second.run} ${i}`].filter(Boolean).join(", ");return l`<li>
    <a class="image-item ${u}" href=${`image.html#id=${t.row}`} aria-label=${c} data-row=${t.row}
      tabindex=${n?0:-1} onFocus=${s}>
      <${Se} item=${t} size=${112} />
      <span class="line name">${t.name}</span>
      ${a&&l`<span class="line">${a}</span>`}
      ${o&&l`<span class="verdict"><span class="line">${p}</span>
        <span class="share">${F(t.probability)}</span></span>`}
      ${r!==!0&&i&&l`<span class="verdict"><span class="line"><span class="muted">${e.second.run}: </span>${t.second.correct===!1&&"✗ "}${i}</span><span class="share">${F(t.second.probability)}</span></span>`}
    </a>
  </li>`}function $t({name:e,title:t,options:n,value:s}){return l`<label class="field">${t}
    <select value=${s} onChange=${a=>C({[e]:a.target.value})}>
      ${n.map(([a,o])=>l`<option value=${a}>${o}</option>`)}
    </select>
  </label>`}function fn({name:e,title:t,names:n,value:s}){let a=o=>C({[e]:o.target.value},{replace:!0});return l`<label class="field">${t}
    <input type="search" list=${`${e}-names`} value=${s} placeholder="any" onInput=${a} />
    <datalist id=${`${e}-names`}>${n.map(o=>l`<option value=${o} />`)}</datalist>
  </label>`}function js(e,t,n,s,a){let o=t.children,r=Math.max(1,[...o].findIndex(c=>c.offsetTop>o[0].offsetTop)),i=r===1&&o[1]?.offsetTop===o[0]?.offsetTop?o.length:r,u={ArrowRight:1,ArrowLeft:-1,ArrowDown:i,ArrowUp:-i}[e.key],p=e.key==="Home"?0:e.key==="End"?s-1:u?n+u:null;p===null||p<0||p>=s||(e.preventDefault(),a(p))}function Hs({site:e}){let t=W(),[n,s]=As(e),[a,o]=T(Ce),[r,i]=T(0),u=U(),p=U(),c=oe(()=>Ds(e,n.filter(Rs(e,t)),t.sort),[e,n,t]),f=n.some(g=>g.predicted!==null),$=n.some(g=>g.correct!==null),d=oe(()=>[...new Set(n.map(g=>Z(e,g.predicted)))].filter(Boolean).sort(),[n]),h=oe(()=>[...new Set(n.flatMap(g=>G(e,g).slice(0,1)))].sort(),[n]);J({"/":()=>p.current.focus()}),O(()=>{o(Ce),i(0)},[t]),O(()=>{n.length&&R()},[n]);let m=U();O(()=>{if(!m.current)return;let g=new IntersectionObserver(w=>w.some(_=>_.isIntersecting)&&o(_=>_+Ce),{rootMargin:"400px"});return g.observe(m.current),()=>g.disconnect()},[a<c.length,a]);let b=g=>{g>=a&&o(g+Ce),i(g);let w=()=>u.current.children[g]?.firstElementChild?.focus();g<u.current.children.length?w():requestAnimationFrame(w)};if(s)return l`<${j} error=${s} />`;let v=n.length<e.count,y=["q","class","predicted","correct","second"].some(g=>t[g]);return l`<div class="bar-of-controls" role="search">
      <label class="field wide">Search
        <input ref=${p} type="search" value=${t.q??""} placeholder="file, class or prediction  ( / )"
          onInput=${g=>C({q:g.target.value},{replace:!0})} />
      </label>
      ${h.length>0&&l`<${fn} name="class" title="Label" names=${h} value=${t.class??""} />`}
      ${f&&l`<${fn} name="predicted" title="Predicted" names=${d} value=${t.predicted??""} />
        ${$&&l`<${$t} name="correct" title="Prediction is" options=${Ls} value=${t.correct??""} />`}`}
      ${n.some(g=>me(e,g)!==null)&&l`<${$t} name="second" title=${`Prediction in ${e.second.run}`}
        options=${Ts(e).filter(([g])=>$||!["lost","gained"].includes(g))} value=${t.second??""} />`}
      <${$t} name="sort" title="Order" value=${t.sort??""}
        options=${f?pn:pn.filter(([g])=>g!=="confidence"&&g!=="doubt")} />
    </div>
    <p class="note" role="status">
      ${M(c.length)} ${y?`of ${M(n.length)}`:""} images${v?`; ${M(e.count-n.length)} are loading …`:""}
      ${y&&l` <a href="#" onClick=${g=>{g.preventDefault(),C({q:null,class:null,predicted:null,correct:null,second:null})}}>show all</a>`}
    </p>
    ${c.length===0&&!v&&l`<p class="empty">No image matches.</p>`}
    <ol class="image-grid" ref=${u} onKeyDown=${g=>js(g,u.current,r,c.length,b)}>
      ${c.slice(0,a).map((g,w)=>l`<${Bs} key=${g.row} site=${e} item=${g}
        isCurrent=${w===r} onFocus=${()=>i(w)} />`)}
    </ol>
    ${a<c.length&&l`<p ref=${m}><button type="button" onClick=${()=>o(a+Ce)}>
      Show more of ${M(c.length)}</button></p>`}`}async function hn(){let e=document.getElementById("images");try{let t=await de();q(l`<${Hs} site=${t} />`,e),t.count===0&&R()}catch(t){q(l`<${j} error=${t} />`,e),R()}}var Us=e=>Uint8Array.from(atob(e),t=>t.charCodeAt(0)),mt=e=>e.replace(/[.*+?^${}()|[\]\\]/g,"\\$&"),Fs=e=>/[*?]/.test(e),Ws=(e,t)=>[e.classes[t],e.outputs[e.class_outputs?.[t]]].filter(n=>typeof n=="string");function qs(e,t){let n=t.trim();return e.classes.some(s=>s.toLowerCase()===n.toLowerCase())?[n]:n.split(",").map(s=>s.trim()).filter(Boolean)}function zs(e,t,n){let s=p=>t.filter(c=>Ws(e,c).some(p)),a=n.toLowerCase(),o=s(p=>p.toLowerCase()===a);if(o.length)return[o,"name"];if(Fs(n)){let p=[...n].map(f=>({"*":".*","?":"."})[f]??mt(f)),c=new RegExp(`^${p.join("")}$`,"isu");return[s(f=>c.test(f)),"pattern"]}let r=n.match(/^(\d+)-(\d+)$/);if(r){let[,p,c]=r.map(Number);return[t.filter(f=>{let $=e.class_outputs?.[f]??-1;return $>=p&&$<=c}),"outputs"]}if(/^\d+$/.test(n))return[[],"number"];let i=new RegExp(`(^|[^\\p{L}\\p{N}])${mt(n)}($|[^\\p{L}\\p{N}])`,"iu"),u=s(p=>i.test(p));return u.length?[u,"word"]:[s(p=>p.toLowerCase().includes(a)),"part"]}function $n(e,t,n){let s={labels:new Set,parts:[],unknown:[],patterns:[]};for(let a of qs(e,n??"")){let[o,r]=zs(e,t,a);for(let i of o)s.labels.add(i);r==="part"&&o.length&&s.parts.push(a),!o.length&&r!=="number"&&s.unknown.push(a),r==="pattern"||r==="outputs"?s.patterns.push(a):s.patterns.push(...o.map(i=>e.classes[i].replace(/[*?[]/g,"[$&]")))}return s}function mn(e,t,n){let s=n.slice(n.lastIndexOf(",")+1).trim(),a=n.slice(0,n.lastIndexOf(",")+1),o=t.map(u=>e.classes[u]),r=new RegExp(`(^|[^\\p{L}\\p{N}])${mt(s)}`,"iu"),i=u=>s&&r.test(u)?0:1;return o.sort((u,p)=>i(u)-i(p)||(u<p?-1:1)),o.map(u=>a?`${a} ${u}`:u)}var We=class{constructor(t,n){this.count=n,this.least=t.least,this.images=new Map(t.classes.map((r,i)=>[r,t.images[i]]));let s=Us(t.lifts),a=new Uint16Array(s.buffer,0,s.length/2),o=r=>r?2**((r-1)/t.steps-t.doublings):0;this.rows=new Map(t.classes.map((r,i)=>[r,()=>Float64Array.from(a.subarray(i*n,(i+1)*n),o)]))}of(t){let n=new Float64Array(this.count),s=new Float64Array(this.count).fill(-1),a=new Array(this.count).fill(null),o=0;for(let r of t){let[i,u]=[this.rows.get(r)(),this.images.get(r)];o+=u,i.forEach((p,c)=>{n[c]+=u*p,p>s[c]&&([s[c],a[c]]=[p,r])})}return{lift:n.map(r=>r/o),best:a,images:o,least:this.least}}};var qe=["done","failed","cancelled"];async function _n(e){let t=null;try{t=await e.json()}catch{}if(!e.ok)throw new Error(t?.error??`the server answered ${e.status}`);return t}var gn=async e=>_n(await fetch(`${ve}api/${e}`)),bn=async(e,t={})=>_n(await fetch(`${ve}api/${e}`,{method:"POST",headers:{"Content-Type":"application/json"},body:JSON.stringify(t)}));async function vn(e,t,n,s){let a=await bn("jobs",{model:e,task:t,arguments:n});if(s(a),qe.includes(a.status))return a.id;let o=new EventSource(`${ve}api/jobs/${a.id}/events`);o.addEventListener("progress",i=>s(JSON.parse(i.data)));let r=!1;return o.addEventListener("end",i=>{r=!0,s(JSON.parse(i.data))}),o.onerror=()=>{o.close(),r||s({...a,status:"failed",error:"the connection to the server was lost"})},a.id}var _t=e=>bn(`jobs/${e}/cancel`);var Ks=100,Vs=3,Q=new Map,yn=0,Gs=(e,t,n)=>new Promise((s,a)=>{vn(e,"guided_patches",t,r=>qe.includes(r.status)?s(r):n(r)).catch(a)});async function Js(e,t){let{models:n}=await gn("state"),s=[];for(let a=0;a<n.length;a++){let o=(yn+a)%n.length,r=await Gs(o,e,t);if(r.status!=="done"||!r.result.refused)return yn=o,r;s.push(r.result.refused)}return{status:"failed",error:[...new Set(s)].join("; ")}}function Xs(e,t){Q.delete(e),Q.set(e,t),Q.size>Ks&&Q.delete(Q.keys().next().value)}function wn({layer:e,unit:t,record:n,site:s,isWanted:a}){let o=`${t} ${e.name}`,r=e.guided&&n&&n.guided!==null?Ys(e.guided,n.guided):null,[i,u]=T({}),[p,c]=T(0),f=!!s.live&&a&&!r;O(()=>{if(!f||Q.has(o))return;let m=!0,b=null,v=()=>b?.status==="queued"&&b.id&&_t(b.id).catch(()=>{}),y=g=>{b=g,g.status==="done"&&Xs(o,g),m?u({key:o,job:g}):v()};return Js({layer:e.name,unit:t},y).then(y,g=>y({status:"failed",error:g.message})),()=>{m=!1,v()}},[o,f,p]);let $=()=>{Q.delete(o),u({}),c(p+1)};if(r||!f)return{place:r,job:null,restart:$};let d=Q.get(o)??(i.key===o?i.job:{status:"queued",progress:{}});return{place:d.status==="done"?{...d.result,row:0,atlas:`api/jobs/${d.id}/files/guided.png`,onError:()=>Q.has(o)&&p<Vs&&$()}:null,job:d,restart:$}}function xn({guided:{place:e,job:t,restart:n},site:s,layer:a,shell:o}){if(e)return null;if(!s.live){let r=a.draws_guided?o:a.serve;return l`<div class="source guided-status">
      <p class="note">This report has no guided gradients of this unit. This line ${a.draws_guided?"draws them":"opens the run in an app that computes them"}:</p>
      <div class="lines"><code>${r}</code><${V} text=${r}>Copy<//></div></div>`}if(!t)return null;if(!qe.includes(t.status)){let{description:r,done:i,total:u}=t.progress??{},p=t.status==="running"?r||"starting":"waiting for the model";return l`<div class="guided-status" role="status">
      ${u?l`<progress max=${u} value=${i} aria-label="Progress"></progress>`:l`<progress aria-label="Progress"></progress>`}
      <p class="bar-of-controls"><span class="small muted">Guided gradients: ${p}</span>
        ${t.id&&l`<button type="button" class="quiet" onClick=${()=>_t(t.id).catch(()=>{})}>Cancel</button>`}</p></div>`}return l`<div class="guided-status">
    ${t.status==="failed"?l`<p class="problem" role="alert">No guided gradients: ${t.error}</p>`:l`<p class="note" role="status">Cancelled.</p>`}
    <button type="button" onClick=${n}>${t.status==="failed"?"Try again":"Compute them"}</button></div>`}function Ys({sheets:e,block:t,...n},s){return{...n,...e[Math.floor(s/t)],row:s%t}}function kn({guided:{place:e}}){return e?l`<p class="note">Guided gradients are sharp, but depend little on the weights: they show structure that can
    drive the unit, not why it fires. ${(e.notes??[]).join(" ")}</p>`:null}var ie=420,Ee=130,ee=Ee-22,Zs=6;function Sn({edges:e,counts:t}){let n=t.reduce((c,f)=>c+f,0),s=Math.log10(Math.max(...t)+1),a=ie/t.length,o=Math.ceil(e.length/Zs),r=t.map((c,f)=>{let $=c?Math.max(1.5,(ee-6)*Math.log10(c+1)/s):0,h=e[f]===0&&e[f+1]===0?"exactly 0":`${S(e[f])} to ${S(e[f+1])}`,m=e[f+1]>0;return l`<rect key=${f} class=${m?"fires":""} x=${f*a+.5} y=${ee-$}
      width=${Math.max(.5,a-1)} height=${$}><title>${h}: ${M(c)} (${(100*c/n).toPrecision(2)} %)</title></rect>`}),i=e.map((c,f)=>[c,f]).filter(([,c])=>c%o===0),u=t.reduce((c,f,$)=>c+(e[$+1]>0?f:0),0),p=`${M(n)} values from ${S(e[0])} to ${S(e.at(-1))}, ${(100*u/n).toPrecision(3)} % above 0`;return l`<svg class="histogram" viewBox="0 0 ${ie} ${Ee}" role="img" aria-label=${p}>
      ${r}
      <line x1="0" x2=${ie} y1=${ee+.5} y2=${ee+.5} />
      ${i.map(([c,f])=>l`<text key=${f} x=${f*a} y=${Ee-6} text-anchor=${f===0?"start":f===e.length-1?"end":"middle"}>${S(c,2)}</text>`)}
    </svg>
    <p class="note">${p} (strong colour). Two bins per doubling; heights are logarithmic.</p>`}var ze=5;function Cn({low:e,high:t,counts:n,strata:s}){let a=n.reduce((d,h)=>d+h,0),o=Math.log10(Math.max(...n)+1),r=ie/n.length,i=d=>e+(t-e)*d/n.length,u=n.map((d,h)=>{if(!d)return null;let m=Math.max(1.5,(ee-18)*Math.log10(d+1)/o);return l`<rect key=${h} class=${i(h+1)>0?"fires":""} x=${h*r+.5} y=${ee-m}
      width=${r-1} height=${m}><title>${S(i(h))} to ${S(i(h+1))}: ${M(d)} (${(100*d/a).toPrecision(2)} %)</title></rect>`}),p=e===t?[0]:[...Array(ze+1).keys()],c=d=>t>e?(d-e)/(t-e)*ie:r/2,f=s.map(({share:d,examples:h})=>({share:d,at:c(h[Math.floor(h.length/2)].value)})),$=`The highest values of ${M(a)} images, from ${S(e)} to ${S(t)}`;return l`<svg class="histogram" viewBox="0 0 ${ie} ${Ee}" role="img" aria-label=${$}>
      ${u}
      ${f.map(({share:d,at:h})=>l`<line key=${d} class="mark" x1=${h} x2=${h} y1="4" y2=${ee}><title>${gt(d)}</title></line>`)}
      <line x1="0" x2=${ie} y1=${ee+.5} y2=${ee+.5} />
      ${p.map(d=>l`<text key=${d} x=${d*ie/ze} y=${Ee-6}
        text-anchor=${d===0?"start":d===ze?"end":"middle"}>${S(e+(t-e)*d/ze,2)}</text>`)}
    </svg>`}function gt(e){return e===1?"lowest":e===.5?"median":`top ${Number((100*e).toPrecision(3))} %`}var Qs=64,he=e=>`${(100*e).toFixed(3)}%`;function En([e,t],n){let[s,a,o,r]=n??[0,0,t,e],i=Math.max(o-s,r-a),u=(s+o-i)/2,p=(a+r-i)/2;return{width:t/i,height:e/i,left:-u/i,top:-p/i}}var eo=([e,t],[n,s,a,o])=>({left:n/t,top:s/e,width:(a-n)/t,height:(o-s)/e}),bt=e=>Object.fromEntries(Object.entries(e).map(([t,n])=>[t,he(n)]));function to(e){let t=Math.max(e[2]-e[0],e[3]-e[1]),n=he((1-(e[2]-e[0])/t)/2);return`inset(${he((1-(e[3]-e[1])/t)/2)} ${n})`}function no({patch:e,mode:t,guided:n,alt:s}){let{image:a,box:o}=e;if(t==="guided"&&n){let u={width:he(n.columns),height:he(n.rows),left:he(-n.rank),top:he(-n.row)};return l`<img src=${I(n.atlas)} alt=${`guided gradient of ${s}`} style=${u} onError=${n.onError} />`}if(!a?.preview&&a?.thumb)return l`<${we} tile=${a.thumb} size=${Qs} label=${s} className="centered" />`;if(!a?.preview)return l`<span class="no-photo">${a?"photo not available":"not in this report"}</span>`;let r=Math.max(...a.size)<=64?"crisp":"";if(t==="whole"||!o)return l`<span class="photo" style=${bt(En(a.size,null))}>
      <img class=${r} src=${I(a.preview)} alt=${s} />
      ${o&&l`<span class="box" style=${bt(eo(a.size,o))}></span>`}</span>`;let i=o[2]-o[0]<40?"crisp":r;return l`<span class="window" style=${{clipPath:to(o)}}>
    <img class=${i} src=${I(a.preview)} alt=${s} style=${bt(En(a.size,o))} /></span>`}function vt({patch:e,rank:t,mode:n,site:s,guided:a,isMeant:o,isLoading:r}){let{image:i}=e,u=i?.label===null||i?.label===void 0?"":s.classes[i.label],p=i?.name??"",c=u||p,f=i&&s.has.images?je(i.row):null,$=`top ${t+1}: ${c}, activation ${S(e.value)}`,d=l`<span class="frame">${!r&&l`<${no} ...${{patch:e,mode:n,guided:a,alt:$}} />`}</span>`;return l`<figure class=${o?"":"faded"}>
    ${f?l`<a href=${f} title=${p}>${d}</a>`:l`<span title=${p}>${d}</span>`}
    <figcaption><b>${S(e.value)}</b> <span title=${c}>${c}</span>
      ${i?.correct===!1&&l`<span class="badge bad" title=${`predicted: ${s.outputs[i.predicted]??i.predicted}`}>wrong</span>`}
    </figcaption>
  </figure>`}var so=200,oo=200,Mn={crop:"Patch",whole:"Whole image",guided:"Guided gradient"},ao={whole:"Whole photos with the patch marked (w)",guided:"Pixels that drive the unit (g)"},ro=e=>/^[\w.\-/]+$/.test(e)?e:`'${e.replaceAll("'","'\\''")}'`,Nn=(e,t)=>`${e.shell} ${ro(e.name)} --unit ${t}`,io=(e,t)=>String(Math.floor(e/t)).padStart(3,"0"),te=new Map,yt=(e,t,n="units")=>`${e}/${n}/${t}`,On=(e,t)=>te.has(yt(e,t));async function Ke(e,t,n,s="units"){let a=yt(e,t,s),o=te.get(a)??await lo(e,t,n,s);return te.has(a)||te.set(a,o),te.size>so&&te.delete(te.keys().next().value),te.get(a)}async function lo(e,t,n,s){let o=(await B(`layer/${e}/${s}-${io(t,n.block)}`))[t%n.block],r=await Promise.all(o.patches.map(async i=>({...i,image:i.row===null?null:await Y(i.row)})));return{...o,patches:r}}function wt(e,t,n){return Ke(e,t,n).then(({patches:s})=>{for(let{image:a}of s)a?.preview&&(new Image().src=I(a.preview))},()=>{})}async function co(e){let t=[...e.querySelectorAll("img")].filter(o=>!o.complete),n=o=>new Promise(r=>["load","error"].forEach(i=>o.addEventListener(i,r))),s=new Promise(o=>setTimeout(o,oo));await Promise.race([Promise.all(t.map(n)),s]);let a=new Promise(o=>requestAnimationFrame(()=>setTimeout(o)));await Promise.race([a,s])}function Ln({unit:e,units:t,data:n,layer:s,site:a,slug:o,meant:r,onShown:i}){let u=W(),[p,c]=K(()=>Ke(o,e,n),[o,e]),f=te.get(yt(o,e))??p,$=U(null),d=t.indexOf(e),h=k=>{let H=d<0?t[0]:t[(d+k+t.length)%t.length];H!==void 0&&C({unit:H})},m=f?.unit===e,b=u.view in Mn?u.view:"crop",v=wn({layer:s,unit:e,record:m?f:null,site:a,isWanted:m&&b==="guided"&&f.patches.length>0}),y=k=>C({view:k==="crop"?null:k},{replace:!0}),g=k=>y(re().view===k?"crop":k);J({ArrowLeft:()=>h(-1),ArrowRight:()=>h(1),w:()=>g("whole"),g:()=>g("guided"),j:()=>$.current?.focus(),Escape:()=>C({unit:null})});let[w,_]=T(null),x=U(null);if(O(()=>{if(c&&R(),!m)return;let k=!0;return co(x.current).then(()=>k&&_({unit:e,record:f})),()=>k=!1},[f,c]),O(()=>{if(!w)return;R(),i();let k=t[t.indexOf(w.unit)+1];k!==void 0&&Ke(o,k,n).catch(()=>{})},[w]),c)return l`<${j} error=${c} />`;if(!m)return l`<div class="unit-head"><h2 class="unit-name">unit ${e}</h2></div>`;let P=l`<section class="card" aria-labelledby="patches-title" ref=${x}>
    <div class="card-head">
      <h3 id="patches-title">Top patches${fe(a)}</h3>
      ${f.patches.length>0&&l`<div class="segments" role="group" aria-label="View">
        ${Object.entries(Mn).map(([k,H])=>l`<button type="button" key=${k} aria-pressed=${String(b===k)}
          onClick=${()=>y(k)} title=${ao[k]}>${H}</button>`)}
      </div>`}
    </div>
    <${An} ...${{unit:e,record:f,layer:s,mode:b,site:a,meant:r,guided:v}} />
  </section>`,N=w&&s.has_patches&&l`<${ho} ...${{record:w.record,mode:b,site:a}} />`,D=w&&l`<${uo} ...${{record:w.record,layer:s,site:a,state:u}} />`;return l`
    <div class="unit-head">
      <p class="path"><a href="../index.html">${a.model}</a> › ${s.name} › </p>
      <h2 class="unit-name">unit ${e}</h2>
      <${po} ...${{unit:e,data:n}} />
      <div class="unit-keys">
        <button type="button" onClick=${()=>h(-1)} title="Previous unit (←)" aria-label="Previous unit">←</button>
        <button type="button" onClick=${()=>h(1)} title="Next unit (→)" aria-label="Next unit">→</button>
        <input type="number" id="jump" ref=${$} min="0" max=${n.count-1} placeholder="unit" aria-label="Go to unit (j)"
          onKeyDown=${k=>k.key==="Enter"&&k.target.value!==""&&C({unit:Math.min(n.count-1,Math.max(0,Math.trunc(k.target.valueAsNumber)))})} />
        <${V} text=${()=>location.href}>Copy link<//>
        <button type="button" onClick=${()=>C({unit:null})} title="All units (Esc)" aria-label="Close">✕</button>
      </div>
    </div>
    <${Tn} ...${{unit:e,data:n,record:f,layer:s}} />
    ${s.second?l`<div class="unit-body of-two">${P}<${yo} ...${{unit:e,data:n,layer:s,site:a,slug:o,mode:b,meant:r}} />${N}${D}</div>`:l`<div class="unit-body"><div class="stack">${P}${N}</div><div class="stack">${D}</div></div>`}
    ${w&&l`<${go} ...${{record:w.record,layer:s,slug:o}} />
      <${wo} ...${{...w,data:n,layer:s,site:a,slug:o}} />`}`}function uo({record:e,layer:t,site:n,state:s}){return l`
    ${e.histogram&&l`<section class="card" aria-labelledby="values-title">
      <h3 id="values-title">Values at all positions of all images${fe(n)}</h3>
      <${Sn} ...${e.histogram} />
    </section>`}
    <${mo} ...${{record:e,layer:t,site:n,state:s}} />
    ${e.matters&&l`<${_o} ...${e.matters} />`}`}function po({unit:e,data:t}){let n=t.duplicates[e];return l`
    ${t.dead.includes(e)&&l`<span class="badge bad" title="above zero at no position of any image">dead</span>`}
    ${t.silent.includes(e)&&l`<span class="badge" title="fires in less than 1 % of the images">silent</span>`}
    ${n!==void 0&&l`<a class="badge" href=${Be({unit:n})}
      title="nearly the same top patches">near-duplicate of ${n}</a>`}`}function Tn({unit:e,data:t,record:n,layer:s}){let a=r=>t.columns[r]?.[e],o=[["maximum",S(a("max")),fo(n,t)],["mean",S(a("mean"))],["fires in",F(a("fires")),"of the images"],["active at",F(a("active")),"of the positions"],["selectivity",S(a("selectivity"),2),"0 to 1"],["prominence",S(a("prominence"),2)]].filter(([,r])=>r!=="–");return l`<dl class="facts unit-facts">
    ${o.map(([r,i,u])=>l`<div key=${r}><dt>${r}</dt>
      <dd>${i} ${u&&l`<small>${u}</small>`}</dd></div>`)}
    ${s.field&&l`<div><dt>receptive field</dt><dd>${s.field.replace(/ pixels of the model's input$/,"")} <small>input pixels</small></dd></div>`}
  </dl>`}function fo({rank:e,tied:t},n){return`rank ${M(e)} of ${M(n.count)}${t>1?`, shared by ${M(t)}`:""}`}function An({unit:e,record:t,layer:n,mode:s,site:a,meant:o,guided:r}){if(!n.has_patches)return l`<p class="note">The run has no patches of this layer.</p>`;if(!t.patches.length)return l`<p class="note">No image activates this unit, so it has no patches.</p>`;let i=t.patches[0].value,u=t.patches.map(({image:c})=>o.has(c?.label)),p=u.filter(Boolean).length;return l`${o.size>0&&l`<p class="note meant-note">${p} of ${t.patches.length} patches are of
    ${o.size===1?` “${a.classes[[...o][0]]}”`:" the classes in Find"}.</p>`}
  ${s==="guided"&&l`<${xn} ...${{guided:r,site:a,layer:n,shell:Nn(n,e)}} />`}
  <ol class=${`patches is-${s}${s==="guided"&&a.live&&!r.place?" waits":""}`}>
    ${t.patches.map((c,f)=>l`<li key=${f}>
      <${vt} ...${{patch:c,rank:f,mode:s,site:a,highest:i,guided:r?.place?{...r.place,rank:f}:null,isMeant:!p||u[f]}} />
    </li>`)}
  </ol>
  ${s==="whole"&&l`<p class="note">The box is the part of the photo that the unit sees and the model was given.</p>`}
  ${s==="guided"&&l`<${kn} guided=${r} />`}`}function ho({record:e,mode:t,site:n}){let{peaks:s}=e;return s?l`<section class="card" aria-labelledby="peaks-title">
    <h3 id="peaks-title">Highest value of every image${fe(n)}</h3>
    <${Cn} ...${s} />
    <p class="note">Images in bins of equal width; heights are logarithmic, lines mark the examples.</p>
    <div class="strata">
      ${s.strata.map(a=>l`<${$o} key=${a.share} ...${{...a,mode:t,site:n,total:s.counts.reduce((o,r)=>o+r,0)}} />`)}
    </div>
  </section>`:e.patches.length>0&&l`<section class="card"><h3>Highest value of every image</h3>
      <p class="note">This run has no highest values of all images.</p></section>`}function $o({share:e,examples:t,mode:n,site:s,total:a}){let[o]=K(()=>Promise.all(t.map(({row:u})=>u===null?null:Y(u))),[t]),r=t.map(({rank:u})=>u),i=`${M(r[0])}${r.length>1?`–${M(r.at(-1))}`:""}`;return l`<div>
    <h4>${gt(e)} <small>rank ${i} of ${M(a)}</small></h4>
    <ol class="examples">
      ${t.map((u,p)=>l`<li key=${p}><${vt} ...${{patch:{...u,image:o?.[p]??null},rank:u.rank-1,mode:n==="guided"?"crop":n,site:s,guided:null,isMeant:!0,isLoading:!o}} /></li>`)}
    </ol>
  </div>`}function mo({record:e,layer:t,site:n,state:s}){if(!e.classes.length)return l`<section class="card"><h3>Classes</h3><p class="note">
      ${n.classes.length?"No class makes this unit fire.":"The images have no labels, so there are no classes."}</p></section>`;let a=Math.max(...e.classes.map(o=>o.lift));return l`<section class="card" aria-labelledby="classes-title">
    <h3 id="classes-title">Classes it fires for${fe(n)}</h3>
    <ol class="bars">
      ${e.classes.map(o=>{let r=n.classes[o.class]??String(o.class),i=s.class===r;return l`<li key=${o.class}>
          <button type="button" aria-pressed=${String(i)} onClick=${()=>C({class:i?null:r})}>
            <span class="bar-name">${r}</span>
            <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${100*o.lift/a} height="6" /></svg></span>
            <span class="bar-value">${S(o.lift,2)} ×</span>
            <span class="bar-count">${o.count} of ${o.of}</span>
          </button></li>`})}
    </ol>
    <p class="note">Lift: ${t.meaning}. A click filters patches and units.</p>
  </section>`}function _o({images:e,set_to:t,classes:n}){let s=Math.max(...n.map(({drop:a})=>a));return l`<section class="card" aria-labelledby="matters-title">
    <h3 id="matters-title">Classes it matters for</h3>
    ${n.length===0&&l`<p class="note">No score drops without it.</p>`}
    <ol class="bars">
      ${n.map(({name:a,drop:o})=>l`<li key=${a} class="bar-row">
        <span class="bar-name">${a}</span>
        <span class="bar-line"><svg aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none"><rect width=${100*o/s} height="6" /></svg></span>
        <span class="bar-value">${S(o,2)}</span>
      </li>`)}
    </ol>
    <p class="note">Drop of the score when the unit is set to ${t}, ${e===1?"on one image":`mean over ${M(e)} images`}.</p>
  </section>`}function go({record:e,layer:t,slug:n}){if(!e.similar.length&&!e.similar_weights.length)return null;let s=e.patches.length;return l`<section class="card" aria-labelledby="similar-title">
    <h3 id="similar-title">Similar units</h3>
    <div class="similar-rows">
      <${Pn} title="by common top images" ...${{layer:t,slug:n}}
        entries=${e.similar.map(({unit:a,shared:o})=>[a,`${o} of ${s}`])} />
      <${Pn} title=${`by incoming weights (cosine, ${t.weights})`} ...${{layer:t,slug:n}}
        entries=${e.similar_weights.map(({unit:a,cosine:o})=>[a,o.toFixed(2)])} />
    </div>
  </section>`}function Pn({title:e,entries:t,layer:n,slug:s}){return t.length?l`<div><h4>${e}</h4><ul class="similar">
    ${t.map(([a,o])=>l`<li key=${a}><a href=${Be({unit:a})}>
      <${bo} ...${{unit:a,layer:n,slug:s}} /><b>${a}</b> <span>${o}</span></a></li>`)}
  </ul></div>`:null}function bo({unit:e,layer:t,slug:n}){let s=document.querySelector(`#sheet [data-unit="${e}"] .tile`),a=e%512,o=s?.className??(t.sheets.length?`tile sheet-${n}-${Math.floor(e/512)} x${a%32} y${Math.floor(a/32)}`:"tile missing");return l`<span class=${o}></span>`}var vo=e=>({...e,patches:e.patches.map(t=>({...t,image:t.image&&{...t.image,...t.image.second}}))});function yo({unit:e,data:t,layer:n,site:s,slug:a,mode:o,meant:r}){let i=t.columns.changed?.[e],{second:u}=n,[p,c]=K(async()=>{if(e>=u.count)return null;let f=await B(`layer/${a}/second`);return{data:f,record:await Ke(a,e,f,"second")}},[e]);return c?l`<${j} error=${c} />`:p===void 0?null:l`<section class="card" aria-labelledby="second-title">
    <div class="card-head"><h3 id="second-title">The same unit in ${u.run} (${u.model})</h3></div>
    ${p!==null&&i!==void 0&&i!==null&&l`<p class="note">${F(1-i)} of the top
      images that both runs have are the same.</p>`}
    ${p===null?l`<p class="note">${u.count?"This run has no such unit.":"This run has no results of this layer."}</p>`:l`
      <${An} ...${{record:{...vo(p.record),guided:null},layer:{has_patches:u.has_patches},mode:o==="guided"?"crop":o,meant:r,site:ke(s)}} />
      <${Tn} ...${{unit:e,data:p.data,record:p.record,layer:{field:""}}} />`}
  </section>`}function wo({unit:e,record:t,data:n,layer:s,site:a,slug:o}){let r=Nn(s,e),i=`convviz.open_run(${JSON.stringify(s.run)}).draw("patches", ${JSON.stringify(s.name)}, units=${e})`,u=t.patches.map((d,h)=>[h+1,d.value,d.image?.name,d.image?.label===null?"":a.classes[d.image?.label],...d.position??["",""],...d.box??["","","",""]]),p=["rank","activation","image","class","y","x","x0","y0","x1","y1"],c=`${o}-unit-${e}`,f=Object.fromEntries(Object.entries(n.columns).map(([d,h])=>[d,h[e]])),$=()=>JSON.stringify({layer:s.name,...t,numbers:f,provenance:s.provenance},null,1);return l`<section class="card source" aria-labelledby="source-title">
    <div class="card-head"><h3 id="source-title">Get it</h3>
      <div class="bar-of-controls">
        <button type="button" onClick=${()=>lt(`${c}.csv`,Yt(p,u),"text/csv")}>CSV</button>
        <button type="button" onClick=${()=>lt(`${c}.json`,$(),"application/json")}>JSON</button>
      </div></div>
    <div class="lines">
      <code>${r}</code><${V} text=${r}>Copy<//>
      <code>${i}</code><${V} text=${i}>Copy<//>
    </div>
    <dl class="facts small">
      ${Object.entries(s.provenance).map(([d,h])=>l`<div key=${d}><dt>${d}</dt>
        <dd class="plain">${d==="weights"?l`<code>${h.slice(0,16)}</code>`:h}</dd></div>`)}
    </dl>
  </section>`}var xo={all:"all units",alive:"units that fire",dead:"dead units",silent:"silent units",twins:"near-duplicates"},ko=["class","sort","show","view"],In=4,So=100,Ve=(e,t,n)=>(e.sort==="lift"?t:e.sort==="unit"||Object.hasOwn(n.columns,e.sort??""))?e.sort:t?"lift":"unit";function Co(e,t,n){let s=new Set(e.dead),a=new Set(e.silent),o=new Set(Object.entries(e.duplicates).flat().map(Number)),r={all:()=>!0,alive:d=>!s.has(d),dead:d=>s.has(d),silent:d=>a.has(d),twins:d=>o.has(d)}[t.show]??(()=>!0),i=(t.class??"").trim(),u=d=>!i||String(d)===i||n&&n.lift[d]>=n.least,p=[...Array(e.count).keys()].filter(d=>r(d)&&u(d)),c=Ve(t,n,e),f=c==="lift"?n?.lift:e.columns[c];if(!f)return p;let $=(d,h,m)=>{let[b,v]=[d?.[h]??-1/0,d?.[m]??-1/0];return b===v?0:v-b};return p.sort((d,h)=>$(f,d,h)||$(e.columns.mean,d,h)||d-h)}var xt=class{constructor(t,n,s){this.list=t,this.data=n,this.site=s,this.dead=new Set(n.dead),this.tiles=new Map;for(let a of t.children)this.tiles.set(Number(a.firstElementChild.dataset.unit),a);this.key=`unit  ${[...this.tiles.keys()].join()}`}show(t,n,s,a){let o=`${n} ${s?a:""} ${t.join()}`;if(o!==this.key){this.key=o;for(let r of t){let i=this.tiles.get(r).firstElementChild;i.querySelector(".value").textContent=this.textOf(r,n,s);let u=s&&s.lift[r]>=s.least?this.site.classes[s.best[r]]:"";this.setName(i,i.querySelector("small"),u)}this.list.replaceChildren(...t.map(r=>this.tiles.get(r)))}}textOf(t,n,s){return n==="lift"?`${S(s.lift[t],2)} ×`:n==="changed"?F(this.data.columns.changed[t]):n!=="unit"?S(this.data.columns[n]?.[t]??this.data.columns.max[t]):this.dead.has(t)?"dead":S(this.data.columns.max[t])}setName(t,n,s){if(!s)return n?.remove();let a=n??t.appendChild(document.createElement("small"));a.textContent=s,a.title=s}mark(t){this.list.querySelector("[aria-current]")?.removeAttribute("aria-current"),this.tiles.get(t)?.firstElementChild.setAttribute("aria-current","true")}revealMarked(){let t=this.list.querySelector("[aria-current]");if(!t)return;let[n,s]=[t.getBoundingClientRect(),this.list.getBoundingClientRect()];(n.top<s.top||n.bottom>s.bottom)&&(this.list.scrollTop+=(n.top+n.bottom-s.top-s.bottom)/2)}};function Eo(e,t){let n=[...t].map(a=>e.classes[a]),s=n.length-In;return s>1?`${n.slice(0,In).join(", ")} and ${s} more`:n.join(", ")}function Mo({site:e}){let t=Math.max(...(e.class_outputs??[]).map(o=>o??-1));if(t<0)return null;let n=[e.outputs[151],e.outputs[268]].map(o=>String(o??"").toLowerCase()),s=n[0].startsWith("chihuahua")&&n[1].startsWith("mexican hairless"),a=s?"151-268":`0-${Math.min(t,9)}`;return l`, or outputs of the model: <button type="button" class="quiet inline"
    onClick=${()=>C({class:a})}>${a}</button>${s&&" are the dogs of ImageNet"}`}function Po({site:e,layer:t,meant:n,match:s}){let a=l`Several: <code>*terrier, *hound</code><${Mo} site=${e} />.`;if(!n.labels.size&&!n.unknown.length)return null;let o=i=>i.map(u=>`“${u}”`).join(", "),r=`convviz.open_run(${JSON.stringify(t.run)}).units(${JSON.stringify(t.name)}, ${JSON.stringify(n.patterns)}, ${JSON.stringify(t.lifts_from)})`;return l`<p class="note class-note">
    ${n.unknown.length>0&&l`No class with images matches ${o(n.unknown)}. `}
    ${n.parts.length>0&&l`No class has the word ${o(n.parts)}; parts of names match. `}
    ${n.labels.size>0&&l`${n.labels.size>1?`${M(n.labels.size)} classes`:"Class"}: <b>${Eo(e,n.labels)}</b>${s&&` (${M(s.images)} ${s.images===1?"image":"images"})`}. `}
    ${(n.unknown.length>0||n.parts.length>0)&&a}
    ${n.labels.size>0&&l` <${V} text=${r}>Copy Python<//>`}</p>`}function No({data:e,layer:t,sorts:n,site:s,units:a,counts:o,meant:r,match:i}){let u=W(),p=U(null);J({"/":()=>p.current?.focus()});let c=Object.entries(xo).filter(([m])=>m==="all"||o[m]),f=i?"lift":"unit",$=Object.entries(i?{lift:"lift of the class",...n}:n),d=u.class??"",h=m=>C({class:m,...d?{}:{sort:null}},{replace:!0});return l`
    <label class="field">Sort by
      <select id="sort" value=${Ve(u,i,e)}
        onChange=${m=>C({sort:m.target.value===f?null:m.target.value})}>
        ${$.map(([m,b])=>l`<option key=${m} value=${m}>${b}</option>`)}
      </select>
    </label>
    ${c.length>1&&l`<label class="field">Show
      <select id="show" value=${u.show??"all"}
        onChange=${m=>C({show:m.target.value==="all"?null:m.target.value})}>
        ${c.map(([m,b])=>l`<option key=${m} value=${m}>${b}</option>`)}
      </select>
    </label>`}
    <label class="field grow">Find
      <input id="find" type="search" ref=${p} value=${d} list="class-names"
        placeholder=${o.classes.length?"classes or number":"number"} onInput=${m=>h(m.target.value)} />
    </label>
    <datalist id="class-names">
      ${mn(s,o.classes,d).map(m=>l`<option key=${m} value=${m}></option>`)}
    </datalist>
    <span class="muted small" role="status">${a.length===e.count?"":`${a.length} of ${e.count} units`}</span>
    <${Po} ...${{site:s,layer:t,meant:r,match:i}} />`}function Oo(e,t,n,s,a){let o=t==="lift"?"lift":t==="unit"?n.max??"maximum":n[t]??"maximum",r=s?", and the class with the highest lift":"",i=t==="lift"?` Lift: ${a.meaning.split(";")[0]}.`:"";e.textContent=`Below: number of the unit, ${o}${r}.${i}`}function Lo(e){let t=ko.filter(s=>e[s]).map(s=>[s,e[s]]),n=t.length?`#${new URLSearchParams(t)}`:"";for(let s of document.querySelectorAll(".layers a"))s.href=s.getAttribute("href").split("#")[0]+n}async function Rn(){let e=document.getElementById("layer"),t=document.getElementById("controls"),n=document.getElementById("unit"),{slug:s}=e.dataset,a,o,r;try{[a,o,r]=await Promise.all([de(),B(`layer/${s}/units`),B(`layer/${s}/layer`)])}catch(v){return q(l`<${j} error=${v} />`,t),R()}let i=new xt(document.getElementById("sheet"),o,a),u={alive:o.dead.length?o.count-o.dead.length:0,dead:o.dead.length,silent:o.silent.length,twins:Object.keys(o.duplicates).length,classes:o.with_images},p=JSON.parse(t.dataset.sorts),c=document.getElementById("sheet-numbers"),f,$,d=null,h=()=>B(`layer/${s}/classes`).then(v=>f=new We(v,o.count),v=>$=v),m=()=>i.revealMarked(),b=()=>{let v=re(),y=/^\d+$/.test(v.unit??"")&&Number(v.unit)<o.count?Number(v.unit):null;if(y!==null&&y!==d&&!On(s,y)){d=y;let x=new Promise(P=>setTimeout(P,So));return void Promise.race([wt(s,y,o),x]).then(b)}d=null;let g=$n(a,u.classes,v.class);if(g.labels.size&&!f&&!$)return void h().then(b);let w=g.labels.size&&f?f.of(g.labels):null,_=Co(o,v,w);i.show(_,Ve(v,w,o),w,v.class),Oo(c,Ve(v,w,o),p,w,r),Lo(v),e.classList.toggle("has-unit",y!==null),n.hidden=y===null,i.mark(y),q($?l`<${j} error=${$} />`:l`<${No} ...${{data:o,layer:r,sorts:p,site:a,units:_,counts:u,meant:g,match:w}} />`,t),q(y===null?null:l`<${Ln} ...${{unit:y,units:_,data:o,layer:r,site:a,slug:s,meant:g.labels,onShown:m}} />`,n),y===null&&R()};i.list.addEventListener("click",v=>{let y=v.target.closest("a[data-unit]");!y||v.ctrlKey||v.metaKey||v.shiftKey||(v.preventDefault(),C({unit:y.dataset.unit}),matchMedia("(max-width: 66rem)").matches&&scrollTo(0,0))}),i.list.addEventListener("pointerover",v=>{let y=v.target.closest("a[data-unit]");y&&wt(s,Number(y.dataset.unit),o)}),ye(b),b(),a.count<=a.block&&Y(0).catch(()=>{})}var To=()=>{He(),R()},Ao={benchmark:To,dataset:Qt,image:dn,images:hn,layer:Rn},Dn=Ao[document.body.dataset.page];Dn?Dn():R();})();
